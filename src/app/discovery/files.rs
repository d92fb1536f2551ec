//! Endpoint files: read at the start, and taken up by the keeper whenever they change.

use std::path::PathBuf;
use std::sync::Arc;

use super::seen::Sources;
use super::{endpoints, targets};
use crate::app::reload::{Part, Prepared};
use crate::config::Config;
use crate::discover::{Found, Source, file};
use crate::schema::problem::Problem;

/// What is wrong with the endpoint files of a configuration, for `check`. Blocks.
pub fn check(config: &Config) -> Vec<Problem> {
    let all = files(config).map(|(_, path)| file::read(&path));
    all.filter_map(Result::err).flatten().collect()
}

/// The upstreams whose places stand in files, each with its file.
fn files(config: &Config) -> impl Iterator<Item = (&str, PathBuf)> {
    let sources = config.discovery.sources.iter();
    sources.filter_map(|(upstream, source)| match source {
        Source::File(path) => Some((&**upstream, path.clone())),
        _ => None,
    })
}

/// Reads all files for the first time; a file that is wrong is told, and may be mended later. Blocks.
pub(in crate::app) fn read(config: &Config, sources: &Sources) {
    for (upstream, path) in files(config) {
        let seen = sources.of(upstream, &Source::File(path.clone()));
        match file::read(&path) {
            Ok(found) => {
                if let Some(endpoints) = endpoints(config, upstream) {
                    endpoints.set(targets(&found));
                }
                seen.found(found.len(), true);
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                let first = problems.first().map(ToString::to_string);
                seen.failed(&first.unwrap_or_default());
            }
        }
    }
}

/// What files say of endpoints: for the calls from then on.
pub(in crate::app) fn part(sources: Sources) -> Part {
    Part {
        name: "endpoints",
        paths: Box::new(|config| files(config).map(|(_, path)| path).collect()),
        prepare: Box::new(move |_before, after| {
            let mut all = Vec::new();
            let mut problems = Vec::new();
            for (upstream, path) in files(after) {
                match file::read(&path) {
                    Ok(found) => all.push((upstream.to_owned(), path, found)),
                    Err(found) => problems.extend(found),
                }
            }
            if !problems.is_empty() {
                return Err(problems);
            }
            let changes = all.iter().filter(|(upstream, _, found)| {
                endpoints(after, upstream)
                    .is_some_and(|endpoints| endpoints.differ(&targets(found)))
            });
            let changes = changes.map(told).collect();
            let (after, sources) = (Arc::clone(after), sources.clone());
            Ok(Prepared {
                changes,
                ..Prepared::silent(move || {
                    for (upstream, path, found) in all {
                        let seen = sources.of(&upstream, &Source::File(path));
                        let endpoints = endpoints(&after, &upstream);
                        let changed = endpoints.is_some_and(|one| one.set(targets(&found)));
                        seen.found(found.len(), changed);
                    }
                })
            })
        }),
    }
}

fn told((upstream, path, found): &(String, PathBuf, Vec<Found>)) -> String {
    let (path, count) = (path.display(), found.len());
    format!("endpoints of {upstream}: {count} in {path}")
}

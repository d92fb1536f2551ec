//! [`load`]: from a file, variables and flags to a [`Config`], or to all that is wrong.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::overlay::{self, CONFIG_VARIABLE, Input, UPSTREAM};
use super::settings::Settings;
use super::tree::{Layer, Source, Tree};
use super::{Config, check, compat, conflicts, reference, resolve};
use crate::schema::problem::{Location, Problem, Severity};
use crate::yaml;

/// The file that is read when none is named, if it exists.
const DEFAULT_FILE: &str = "sidegate.yaml";

/// Reads, checks and resolves a configuration. There is one exactly when no problem is an error;
/// the problems come in the order of their places.
pub fn load(input: &Input) -> (Option<Config>, Vec<Problem>) {
    let mut problems = Vec::new();
    let config = attempt(input, &mut problems);
    problems.sort_by(|a, b| a.location.cmp(&b.location));
    let sound = problems.iter().all(|p| p.severity != Severity::Error);
    (config.filter(|_| sound), problems)
}

/// The admin and ops addresses of a configuration, whatever is wrong with the rest of it: who asks
/// a gateway that runs must not be kept from it by a file that changes.
pub fn listeners(input: &Input) -> Option<(Option<SocketAddr>, Option<SocketAddr>)> {
    let config = attempt(input, &mut Vec::new())?;
    Some((config.admin, config.ops))
}

fn attempt(input: &Input, problems: &mut Vec<Problem>) -> Option<Config> {
    let schema = reference::json_schema();
    let defaults = Layer {
        source: Source::Default,
        root: yaml::parse(reference::DEFAULTS).root?,
    };
    let mut tree = check::check(&defaults, &schema, problems)?;
    let file = file_layer(input, problems);
    let compat = file.as_ref().and_then(compat::layer);
    let upstream = file.as_ref().map_or(UPSTREAM, only_upstream).to_owned();
    let overlays = overlay::layers(input, &upstream, problems);
    for layer in compat.iter().chain(&file).chain(&overlays) {
        if let Some(sound) = check::check(layer, &schema, problems) {
            tree.overlay(sound);
        }
    }
    let settings = settings(&tree, problems)?;
    conflicts::find(&settings, &tree, problems);
    resolve::resolve(settings, tree, input, problems)
}

/// The name of the upstream that the file speaks of, if it is one.
fn only_upstream(file: &Layer) -> &str {
    match file.root.get("upstreams").map(yaml::Node::entries) {
        Some([only]) => &only.key,
        _ => UPSTREAM,
    }
}

fn settings(tree: &Tree, problems: &mut Vec<Problem>) -> Option<Settings> {
    match serde_json::from_value(tree.to_json()) {
        Ok(settings) => Some(settings),
        Err(error) => {
            // Every value was checked against the schema of these types, so this is ours.
            let message = format!("the settings do not fit together: {error}");
            problems.push(Problem::error(None, message).with_help("please report this"));
            None
        }
    }
}

/// The path of the file, and whether somebody named it.
pub(super) fn file(input: &Input) -> (PathBuf, bool) {
    let variable = || {
        let given = input
            .variables
            .iter()
            .find(|(name, _)| name == CONFIG_VARIABLE);
        given.map(|(_, value)| PathBuf::from(value))
    };
    let named = input.file.clone().or_else(variable);
    let named = named.filter(|path| !path.as_os_str().is_empty());
    let is_named = named.is_some();
    let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    (input.directory.join(path), is_named)
}

fn file_layer(input: &Input, problems: &mut Vec<Problem>) -> Option<Layer> {
    let (path, is_named) = file(input);
    let name: Arc<str> = path.to_string_lossy().into();
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if !is_named && error.kind() == std::io::ErrorKind::NotFound => {
            return None;
        }
        Err(error) => {
            let message = format!("the configuration cannot be read: {error}");
            problems.push(Problem::error(Location::file(name), message));
            return None;
        }
    };
    let parsed = yaml::parse(&text);
    for complaint in parsed.complaints {
        let at = |mark: yaml::Mark| Location::at(Arc::clone(&name), mark.line, mark.column);
        let mut problem = Problem::error(at(complaint.at), complaint.message);
        problem.help = complaint.help.map(str::to_owned);
        if let Some((mark, note)) = complaint.note {
            problem = problem.with_note(at(mark), note);
        }
        problems.push(problem);
    }
    let root = parsed.root?;
    let source = Source::File(name);
    Some(Layer { source, root })
}

/// Reads a file, but not more of it than a document may have.
fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let most = yaml::MAX_BYTES as u64 + 1;
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

//! Files that are read while somebody writes them: what was half there must never take effect.
//!
//! Waiting until files rest ([`super::Watcher`]) is not enough: who saves again and again, or asks
//! for a reload at the wrong moment, can make a file be read between being emptied and being
//! filled. An empty configuration is a sound one, and means another application.

use std::path::{Path, PathBuf};

use super::Places;
use crate::schema::problem::{Location, Problem};

/// How files looked before they were read.
#[derive(Debug)]
pub(in crate::app) struct Look {
    paths: Vec<PathBuf>,
    fingerprint: u64,
}

impl Look {
    pub(in crate::app) fn at(paths: Vec<PathBuf>) -> Self {
        let fingerprint = Places::of(&paths).fingerprint();
        Self { paths, fingerprint }
    }

    /// Whether they look the same now.
    pub(in crate::app) fn holds(&self) -> bool {
        Places::of(&self.paths).fingerprint() == self.fingerprint
    }

    /// What is said when they never did.
    pub(in crate::app) fn restless() -> Problem {
        let message = "the files changed while they were read, again and again";
        Problem::error(None, message)
            .with_help("they are read once more when they have come to rest")
    }
}

/// What is wrong with a configuration that says nothing any more, if that is so. One that has gone
/// is not meant.
pub(in crate::app) fn blank(file: &Path) -> Option<Problem> {
    let text = std::fs::read_to_string(file).ok()?;
    if !text.trim().is_empty() {
        return None;
    }
    let message = "the configuration is empty, as if it were being written";
    let place = Location::file(file.to_string_lossy());
    let help = "what was in effect stays; write `{}` to go back to the defaults";
    Some(Problem::error(place, message).with_help(help))
}

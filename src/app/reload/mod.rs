//! Taking up changes while the gateway runs: all of them, or none.
//!
//! ```text
//! files change | SIGHUP | POST /reload
//!     -> the configuration is read anew, the schema compiled, every Part prepared
//!     -> one error: nothing happens, and all problems are told
//!     -> else all of it is published; calls that run keep what they began with
//! ```
//!
//! - [`Part`] is what something else has to do about it: certificates, endpoint files.
//! - `watch` tells that files have changed, `places` which files those are; `torn` keeps what was
//!   read while it was written from taking effect.
//! - `history` is what became of it; `difference` what is another schema now.

mod difference;
mod history;
mod places;
mod torn;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::schema::problem::Problem;

pub(super) use difference::between;
pub(super) use history::{Attempt, History, Outcome};
pub(super) use places::Places;
pub(super) use torn::{Look, blank};
pub(super) use watch::Watcher;

/// Something that is made anew with the configuration, or when its own files change.
pub struct Part {
    /// What it is called in logs.
    pub name: &'static str,
    /// The files and directories that it reads under a configuration.
    pub paths: Box<Paths>,
    /// Makes it anew, without an effect until the result is committed; or tells all problems. It
    /// is given the configuration that is in effect and the one that may be next.
    pub prepare: Box<Prepare>,
}

/// Which files a part reads.
pub type Paths = dyn Fn(&Config) -> Vec<PathBuf> + Send;

/// How a part is made anew.
pub type Prepare = dyn Fn(&Config, &Arc<Config>) -> Result<Prepared, Vec<Problem>> + Send;

/// What a part came to.
pub struct Prepared {
    /// What is different, a line each; none when nothing is.
    pub changes: Vec<String>,
    /// What is not quite right.
    pub warnings: Vec<Problem>,
    /// Publishes it. It cannot fail.
    pub commit: Box<dyn FnOnce()>,
}

impl Prepared {
    /// Something whose changes need no line of their own.
    pub fn silent(commit: impl FnOnce() + 'static) -> Self {
        Self {
            changes: Vec::new(),
            warnings: Vec::new(),
            commit: Box::new(commit),
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// Somebody wants everything to be looked at; the answer is what became of it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) trigger: &'static str,
    pub(super) answer: oneshot::Sender<Value>,
}

/// Asks for a reload.
#[derive(Clone, Debug)]
pub(super) struct Door(mpsc::Sender<Request>);

/// What became of a reload that was asked for; `None` when there is nobody any more to do it.
pub type Answer = Pin<Box<dyn Future<Output = Option<Value>> + Send>>;

impl Door {
    /// A door and the room behind it.
    pub(super) fn new() -> (Self, mpsc::Receiver<Request>) {
        const MOST_WAITING: usize = 16;
        let (sender, requests) = mpsc::channel(MOST_WAITING);
        (Self(sender), requests)
    }

    /// Asks, and waits for what becomes of it.
    pub(super) fn ask(&self, trigger: &'static str) -> Answer {
        let sender = self.0.clone();
        Box::pin(async move {
            let (answer, answered) = oneshot::channel();
            sender.send(Request { trigger, answer }).await.ok()?;
            answered.await.ok()
        })
    }
}

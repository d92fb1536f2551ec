//! [`KeySet`]: the keys of one issuer, shared by all workers, and how new ones come to them.
//!
//! Workers never fetch anything. One that meets a token whose key is not known says so, and waits for
//! whoever brings keys if he is about to; he decides when that is. What is known is kept until
//! something better comes, however long its place cannot be reached.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Keys;
use crate::live::Live;

/// Where keys are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// `http://` or `https://`.
    pub url: http::Uri,
    /// Who signs the certificate there; those whom the system trusts if empty.
    pub authorities: Vec<PathBuf>,
    /// How often it is asked without a reason.
    pub refresh: Duration,
}

/// The keys of one issuer.
pub struct KeySet {
    remote: Option<Remote>,
    keys: Live<Keys>,
    /// Somebody has met a token whose key is not known.
    wanted: Notify,
    /// Somebody may bring keys at once.
    open: AtomicBool,
    /// How often he has tried.
    tries: watch::Sender<u64>,
    failures: AtomicU64,
}

/// The next attempt to bring keys.
#[derive(Debug)]
pub struct Waiting(watch::Receiver<u64>);

impl KeySet {
    /// Keys that were read from a file.
    pub fn of(keys: Keys) -> Arc<Self> {
        Arc::new(Self::new(None, keys))
    }

    /// Keys that are published elsewhere, none of them known yet.
    pub fn at(remote: Remote) -> Arc<Self> {
        Arc::new(Self::new(Some(remote), Keys::default()))
    }

    fn new(remote: Option<Remote>, keys: Keys) -> Self {
        Self {
            open: AtomicBool::new(remote.is_some()),
            remote,
            keys: Live::new(keys),
            wanted: Notify::new(),
            tries: watch::Sender::new(0),
            failures: AtomicU64::new(0),
        }
    }

    /// Where they are published, if they come from elsewhere.
    pub fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// Those that are known now.
    pub fn keys(&self) -> Arc<Keys> {
        self.keys.load()
    }

    /// Asks for what is not known; `None` when nothing new can come soon.
    pub fn want(&self) -> Option<Waiting> {
        let waiting = Waiting(self.tries.subscribe());
        self.remote.as_ref()?;
        self.wanted.notify_one();
        self.open.load(Ordering::Acquire).then_some(waiting)
    }

    /// How often keys were asked for, and how often in vain.
    pub fn tries(&self) -> (u64, u64) {
        (*self.tries.borrow(), self.failures.load(Ordering::Relaxed))
    }

    // === For whoever brings keys ===

    /// When somebody misses a key.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// From here on those who miss a key wait for the next attempt.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// An attempt is over. Nobody waits for the next one before it is open again.
    pub fn close(&self, brought: Result<Keys, ()>) {
        match brought {
            Ok(keys) => self.keys.publish(keys),
            Err(()) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.open.store(false, Ordering::Release);
        self.tries.send_modify(|tries| *tries += 1);
    }
}

impl Waiting {
    /// Waits until it is over.
    pub async fn over(mut self) {
        // An error is the end of the set, which the waiting call holds itself.
        drop(self.0.changed().await);
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("remote", &self.remote)
            .field("keys", &self.keys.peek().count())
            .finish_non_exhaustive()
    }
}

//! [`Stats`]: how often certificates came and how often they did not, for `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// By name.
#[derive(Debug, Default)]
pub struct Stats(Mutex<BTreeMap<String, Counts>>);

/// What became of the attempts for one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Certificates that came.
    pub obtained: u64,
    /// Attempts without one.
    pub failed: u64,
}

impl Stats {
    /// Everything that is counted, each name that was ever tried or will be.
    pub fn counts(&self) -> Vec<(String, Counts)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.iter();
        counts
            .map(|(name, counts)| (name.clone(), *counts))
            .collect()
    }

    /// One more attempt for a name, which has come to this.
    pub(super) fn count(&self, name: &str, obtained: Option<bool>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.entry(name.to_owned()).or_default();
        match obtained {
            Some(true) => counts.obtained += 1,
            Some(false) => counts.failed += 1,
            None => {}
        }
    }
}

//! [`Quota`]: how many calls there may be, resolved at load.

use std::time::Duration;

/// How many calls of some methods there may be. They count together: all methods of one selector
/// have one quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The selector that says it, or `limits` for everybody's.
    pub name: Box<str>,
    /// Calls of everybody together.
    pub all: Bounds,
    /// Calls of each client.
    pub client: Bounds,
    /// How many calls wait for a place.
    pub queue: u32,
    /// How long each of them waits.
    pub queue_time: Duration,
}

/// What is counted against a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How many calls may begin.
    pub rate: Option<Rate>,
    /// How many calls may run at one time.
    pub concurrency: Option<u32>,
}

/// A number of calls in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time between two calls that come evenly.
    pub interval: Duration,
    /// How many may come at once after a pause.
    pub burst: u32,
}

impl Bounds {
    /// Whether anything is bounded.
    pub fn any(self) -> bool {
        self.rate.is_some() || self.concurrency.is_some()
    }

    fn describe(self, of: &str, said: &mut Vec<String>) {
        if let Some(Rate { interval, burst }) = self.rate {
            said.push(format!(
                "one call{of} every {interval:?}, {burst} at once after a pause"
            ));
        }
        if let Some(concurrency) = self.concurrency {
            said.push(format!("{concurrency} calls{of} at one time"));
        }
    }
}

impl Quota {
    /// In words, for people.
    pub fn describe(&self) -> String {
        let mut said = Vec::new();
        self.all.describe("", &mut said);
        self.client.describe(" of a client", &mut said);
        format!("`{}` allows {}", self.name, said.join(", and "))
    }
}

//! What is counted per method and per route, split by worker so that no two threads write to
//! the same memory.
//!
//! Cells come into being when something first happens: a schema of ten thousand methods of which
//! three are called costs three.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use super::histogram::{Histogram, Sizes, Summary};
use crate::call::Code;

/// One `T` per worker, made when the worker first needs it.
#[derive(Debug)]
pub struct Sharded<T>(Box<[OnceLock<Box<T>>]>);

impl<T: Default> Sharded<T> {
    /// Room for so many workers.
    pub fn new(shards: usize) -> Self {
        Self((0..shards.max(1)).map(|_| OnceLock::new()).collect())
    }

    /// The one of a worker; `None` when there is no such worker.
    pub fn of(&self, shard: usize) -> Option<&T> {
        self.0
            .get(shard)
            .map(|cell| &**cell.get_or_init(Box::default))
    }

    /// Those that exist.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0
            .iter()
            .filter_map(|cell| cell.get().map(|cell| &**cell))
    }
}

/// What is counted of one method.
#[derive(Debug)]
pub struct MethodSeries {
    /// `pkg.Service/Method`, or `other`.
    pub rpc: Box<str>,
    /// By worker.
    pub cells: Sharded<MethodCells>,
}

/// What one worker counts of one method. It fills whole cache lines, so that workers stay out
/// of each other's way.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct MethodCells {
    /// How long calls took, by how they ended.
    by_code: [OnceLock<Box<Histogram>>; 17],
    /// How long the application took to its first byte.
    pub upstream: Histogram,
    /// How long asking the application took, by how calls ended.
    asked: [OnceLock<Box<Histogram>>; 17],
    /// Request body bytes.
    pub bytes_in: Sizes,
    /// Response body bytes.
    pub bytes_out: Sizes,
    /// Messages towards the application.
    pub messages_in: AtomicU64,
    /// Messages from the application.
    pub messages_out: AtomicU64,
    /// How often an endpoint was asked.
    pub attempts: AtomicU64,
}

impl MethodCells {
    /// The durations of the calls that ended with `code`.
    pub fn ended(&self, code: Code) -> Option<&Histogram> {
        self.by_code
            .get(usize::from(code.number()))
            .map(|cell| &**cell.get_or_init(Box::default))
    }

    /// Adds the durations of the calls that ended with `code` to `summary`.
    pub fn add_ended_to(&self, code: Code, summary: &mut Summary) {
        let cell = self.by_code.get(usize::from(code.number()));
        if let Some(histogram) = cell.and_then(OnceLock::get) {
            histogram.add_to(summary);
        }
    }

    /// How long asking the application took for calls that ended with `code`.
    pub fn asked(&self, code: Code) -> Option<&Histogram> {
        self.asked
            .get(usize::from(code.number()))
            .map(|cell| &**cell.get_or_init(Box::default))
    }

    /// Adds how long asking took for calls that ended with `code` to `summary`.
    pub fn add_asked_to(&self, code: Code, summary: &mut Summary) {
        let cell = self.asked.get(usize::from(code.number()));
        if let Some(histogram) = cell.and_then(OnceLock::get) {
            histogram.add_to(summary);
        }
    }
}

/// What is counted of one REST route.
#[derive(Debug)]
pub struct RouteSeries {
    /// The HTTP method of the rule; `_OTHER` for one that is not well known.
    pub http_method: Box<str>,
    /// The template of the rule (R10), or `other`.
    pub template: Box<str>,
    /// By worker.
    pub cells: Sharded<RouteCells>,
}

/// What one worker counts of one route: how long calls took, by HTTP status.
///
/// There is room for as many statuses as one route shows in practice; whatever comes on top
/// counts under status 0.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct RouteCells {
    statuses: [AtomicU16; 12],
    histograms: [OnceLock<Box<Histogram>>; 12],
    rest: Histogram,
}

impl RouteCells {
    /// The durations of the calls that were answered with `status`.
    pub fn answered(&self, status: u16) -> &Histogram {
        for (cell, histogram) in self.statuses.iter().zip(&self.histograms) {
            let mut current = cell.load(Ordering::Relaxed);
            if current == 0 {
                current = cell
                    .compare_exchange(0, status, Ordering::Relaxed, Ordering::Relaxed)
                    .map_or_else(|winner| winner, |_| status);
            }
            if current == status {
                return histogram.get_or_init(Box::default);
            }
        }
        &self.rest
    }

    /// Every status with its durations.
    pub fn all(&self) -> impl Iterator<Item = (u16, &Histogram)> {
        let known = self.statuses.iter().zip(&self.histograms);
        known
            .filter_map(|(status, histogram)| {
                let status = status.load(Ordering::Relaxed);
                histogram.get().map(|histogram| (status, &**histogram))
            })
            .chain([(0, &self.rest)])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_route_has_room_for_the_usual_statuses_and_never_for_more_than_that() {
        let cells = RouteCells::default();
        for status in 200..300 {
            cells.answered(status).observe(Duration::ZERO);
            cells.answered(status).observe(Duration::ZERO);
        }
        let counted: Vec<(u16, u64)> = cells
            .all()
            .map(|(status, histogram)| {
                let mut summary = Summary::default();
                histogram.add_to(&mut summary);
                (status, summary.count)
            })
            .collect();
        let mut expected: Vec<(u16, u64)> = (200..212).map(|status| (status, 2)).collect();
        expected.push((0, 2 * 88));
        assert_eq!(counted, expected);
    }
}

//! Measuring side by side: time and allocations of several ways to do one thing.
//!
//! Each figure is the best of many short rounds, which take turns, so that what else the machine
//! does hits all alike.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and it measures real time"
)]

use std::time::{Duration, Instant};

use crate::counting::allocations;

const ROUNDS: u32 = 40;
const ROUND: Duration = Duration::from_millis(6);

/// One way of doing it.
pub(crate) struct Way<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    best: Duration,
    allocations: u64,
}

impl<'a> Way<'a> {
    pub(crate) fn new(name: &'static str, mut run: impl FnMut() + 'a) -> Self {
        // Buffers grow and tables are made the first time.
        run();
        run();
        let allocations = allocations(&mut run);
        Self {
            name,
            allocations,
            run: Box::new(run),
            best: Duration::MAX,
        }
    }

    /// Runs for a while and keeps the mean, if it is better.
    fn round(&mut self) {
        let start = Instant::now();
        let mut times = 0;
        while start.elapsed() < ROUND {
            (self.run)();
            times += 1;
            // Short runs are not to measure the clock.
            if start.elapsed() < ROUND / 64 {
                (0..15).for_each(|_| (self.run)());
                times += 15;
            }
        }
        self.best = self.best.min(start.elapsed() / times);
    }
}

/// Lets the ways take turns over `bytes` bytes of JSON and prints a line each; the first is ours,
/// and what the others take is told as a multiple of it.
pub(crate) fn measure(title: &str, bytes: usize, mut ways: Vec<Way<'_>>) {
    for _ in 0..ROUNDS {
        ways.iter_mut().for_each(Way::round);
    }
    let ours = ways.first().map_or(Duration::MAX, |way| way.best);
    for way in &ways {
        let rate = bytes as f64 / way.best.as_secs_f64() / 1e6;
        let ratio = way.best.as_secs_f64() / ours.as_secs_f64();
        println!(
            "{title:<34} {:<14} {rate:>8.0} MB/s {ratio:>6.1} x the time {:>8} allocations",
            way.name, way.allocations
        );
    }
}

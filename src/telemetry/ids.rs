//! Ids of traces and spans, and chance, without a system call.
//!
//! Each thread has two counters of 64 bits that start anywhere (the standard library's hasher is
//! seeded by the system once a thread) and are scrambled as SplitMix64 does it. That is not secret,
//! and needs not be: an id only has to differ from all others.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    static STATE: Cell<(u64, u64)> = Cell::new((seed(), seed()));
}

fn seed() -> u64 {
    RandomState::new().hash_one("trace")
}

/// What a new trace and its spans are called.
pub(super) fn trace_id() -> u128 {
    let (high, low) = STATE.get();
    let (high, low) = (high.wrapping_add(STEP), low.wrapping_add(STEP));
    STATE.set((high, low));
    let id = u128::from(scramble(high)) << 64 | u128::from(scramble(low));
    if id == 0 { 1 } else { id }
}

/// What a new span is called.
pub(super) fn span_id() -> u64 {
    let (high, low) = STATE.get();
    let low = low.wrapping_add(STEP);
    STATE.set((high, low));
    scramble(low).max(1)
}

/// Says yes to a share of those who ask.
pub(super) fn chance(of_all: u64) -> bool {
    // Ids are any number of 64 bits, so that none is above the whole.
    of_all == u64::MAX || span_id() < of_all
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn scramble(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_on_and_between_threads() {
        let some = || -> Vec<(u128, u64)> { (0..5_000).map(|_| (trace_id(), span_id())).collect() };
        let mut threads: Vec<_> = (0..4).map(|_| std::thread::spawn(some)).collect();
        let mut all = some();
        for thread in threads.drain(..) {
            all.extend(thread.join().unwrap());
        }
        let traces: HashSet<u128> = all.iter().map(|(trace, _)| *trace).collect();
        let spans: HashSet<u64> = all.iter().map(|(_, span)| *span).collect();
        assert_eq!((traces.len(), spans.len()), (25_000, 25_000));
        let ones: u32 = traces.iter().map(|id| id.count_ones()).sum();
        let each = f64::from(ones) / 25_000.0;
        assert!((63.0..65.0).contains(&each), "{each} of 128 bits are set");
    }
}

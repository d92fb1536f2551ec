//! What the benchmarks of small operations have in common: nanoseconds and allocations of one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 25;
const ROUND: Duration = Duration::from_millis(4);

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[allow(unsafe_code, reason = "an allocator that counts can not do without")]
// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs an operation for a while; prints the mean of the best round and what it allocates.
pub(crate) fn measure(title: &str, mut run: impl FnMut()) {
    run();
    let before = ALLOCATIONS.get();
    run();
    let allocations = ALLOCATIONS.get() - before;
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut times = 0_u32;
        while start.elapsed() < ROUND {
            for _ in 0..64 {
                run();
            }
            times += 64;
        }
        best = best.min(start.elapsed() / times);
    }
    println!(
        "{title:<52} {:>9} ns {allocations:>4} allocations",
        best.as_nanos()
    );
}

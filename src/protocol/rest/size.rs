//! How large the JSON of a message will be: as much larger than the message as lately.
//!
//! A buffer that is too small is copied when it grows, and one that is twice too large is memory
//! for as long as a client reads.

use std::cell::Cell;

thread_local! {
    /// Sixteenths of a message's size that its JSON took.
    static GROWTH: Cell<usize> = const { Cell::new(32) };
}

/// Room for everything that a small message may need besides.
const SLACK: usize = 64;

/// Bytes of JSON to expect of a message of so many bytes.
pub(super) fn expected(message: usize) -> usize {
    (message / 16 + 1).saturating_mul(GROWTH.get()) + SLACK
}

/// A message of `message` bytes became `json` bytes.
pub(super) fn learn(message: usize, json: usize) {
    const LARGEST: usize = 16 * 8;
    let seen = json.saturating_sub(SLACK) / (message / 16 + 1) + 1;
    let before = GROWTH.get();
    // Up at once, down slowly: to grow a buffer costs more than to have some of it unused.
    let after = if seen > before {
        seen.min(LARGEST)
    } else {
        before - (before - seen) / 16
    };
    GROWTH.set(after);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_learned_and_forgotten() {
        let message = 16 * 1000 - 1;
        learn(message, 70_000);
        assert!(expected(message) >= 70_000, "{}", expected(message));
        assert!(expected(message) < 75_000, "{}", expected(message));
        for _ in 0..200 {
            learn(message, 20_000);
        }
        assert!((20_000..40_000).contains(&expected(message)));
        learn(1, 1_000_000);
        assert!(
            expected(1000) < 10_000,
            "one odd message does not cost all others"
        );
    }
}

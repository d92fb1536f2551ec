//! [`Words`]: counts by a word that the code itself chose, a protocol or the reason of a fault.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts by word. There is room for `N` of them, in order of their first coming; what comes on
/// top counts as `other`.
#[derive(Debug)]
pub struct Words<const N: usize> {
    words: [OnceLock<&'static str>; N],
    counts: [AtomicU64; N],
    other: AtomicU64,
}

impl<const N: usize> Default for Words<N> {
    fn default() -> Self {
        Self {
            words: [const { OnceLock::new() }; N],
            counts: [const { AtomicU64::new(0) }; N],
            other: AtomicU64::new(0),
        }
    }
}

impl<const N: usize> Words<N> {
    /// Counts a word once.
    pub fn count(&self, word: &'static str) {
        let known = self
            .words
            .iter()
            .position(|slot| *slot.get_or_init(|| word) == word);
        known
            .and_then(|at| self.counts.get(at))
            .unwrap_or(&self.other)
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Every word that was counted, and how often.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let known = self.words.iter().zip(&self.counts);
        known
            .filter_map(|(word, count)| Some((*word.get()?, count.load(Ordering::Relaxed))))
            .chain([("other", self.other.load(Ordering::Relaxed))])
            .filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beyond_the_room_count_as_other() {
        let words = Words::<2>::default();
        for word in ["rest", "grpc", "rest", "connect", "websocket"] {
            words.count(word);
        }
        let all: Vec<_> = words.all().collect();
        assert_eq!(all, [("rest", 2), ("grpc", 1), ("other", 2)]);
    }
}

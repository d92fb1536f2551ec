//! The keys of a map so far, by where they stand in the output: two keys are one if their JSON is.
//!
//! A few are compared one with the other. From then on they are hashed, with a seed that nobody
//! knows; the tables are kept for the next map.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use super::scan;

/// Maps up to this long are searched from one end to the other.
const FEW: usize = 16;
/// A larger table is not kept.
const KEPT: usize = 1 << 14;

/// One key: what most others differ in, and where it stands.
#[derive(Clone, Copy, Debug, Default)]
struct Key {
    print: u64,
    start: usize,
}

/// What one pass needs besides its output, to be used again for the next.
#[derive(Debug, Default)]
pub struct Scratch {
    seed: RandomState,
    free: Vec<Table>,
    /// The keys of a table that grows.
    moving: Vec<Key>,
    /// What is to be indented.
    pub(super) compact: Vec<u8>,
}

impl Scratch {
    /// Takes back what was indented.
    pub(super) fn keep(&mut self, mut compact: Vec<u8>) {
        /// A larger buffer is not kept.
        const KEPT: usize = 1 << 20;
        if compact.capacity() <= KEPT {
            compact.clear();
            self.compact = compact;
        }
    }
}

/// A hash table: empty places have the start 0, where no key stands.
#[derive(Debug, Default)]
struct Table {
    keys: Vec<Key>,
    len: usize,
}

/// The keys of one map.
#[derive(Debug)]
pub(super) struct Keys {
    few: [Key; FEW],
    len: usize,
    many: Option<Table>,
}

impl Keys {
    pub(super) const fn new() -> Self {
        Self {
            few: [Key { print: 0, start: 0 }; FEW],
            len: 0,
            many: None,
        }
    }

    /// Says whether the key at `place` of the output is new.
    #[inline]
    pub(super) fn insert(
        &mut self,
        scratch: &mut Scratch,
        out: &[u8],
        place: Range<usize>,
    ) -> bool {
        let text = out.get(place.clone()).unwrap_or_default();
        if self.len < FEW {
            let print = fingerprint(text);
            let known = self.few.get(..self.len).unwrap_or_default();
            let is_same = |key: &Key| {
                key.print == print && out.get(key.start..key.start + text.len()) == Some(text)
            };
            if known.iter().any(is_same) {
                return false;
            }
            if let Some(free) = self.few.get_mut(self.len) {
                *free = Key {
                    print,
                    start: place.start,
                };
            }
            self.len += 1;
            return true;
        }
        self.insert_hashed(scratch, out, place.start, text)
    }

    #[cold]
    fn insert_hashed(
        &mut self,
        scratch: &mut Scratch,
        out: &[u8],
        start: usize,
        text: &[u8],
    ) -> bool {
        let print = scratch.seed.hash_one(text);
        if let Some(many) = &mut self.many {
            return many.insert(&mut scratch.moving, out, Key { print, start }, text);
        }
        let mut table = scratch.free.pop().unwrap_or_default();
        table.clear();
        for key in self.few {
            let text = quoted(out, key.start);
            let print = scratch.seed.hash_one(text);
            let start = key.start;
            table.insert(&mut scratch.moving, out, Key { print, start }, text);
        }
        let new = table.insert(&mut scratch.moving, out, Key { print, start }, text);
        self.many = Some(table);
        new
    }

    /// Keeps what was allocated for the next map.
    pub(super) fn leave(self, scratch: &mut Scratch) {
        if let Some(table) = self.many
            && table.keys.capacity() <= KEPT
        {
            scratch.free.push(table);
        }
    }
}

impl Table {
    const FIRST: usize = 8 * FEW;

    fn clear(&mut self) {
        self.keys.clear();
        self.keys.resize(Self::FIRST, Key::default());
        self.len = 0;
    }

    /// Says whether the key is new.
    fn insert(&mut self, moving: &mut Vec<Key>, out: &[u8], key: Key, text: &[u8]) -> bool {
        let same = |other: &Key| {
            other.print == key.print && out.get(other.start..other.start + text.len()) == Some(text)
        };
        if !self.put(key, same) {
            return false;
        }
        self.len += 1;
        if self.len > self.keys.len() / 2 {
            self.grow(moving);
        }
        true
    }

    /// Puts a key into the first free place, unless one that is the `same` stands before it.
    fn put(&mut self, key: Key, same: impl Fn(&Key) -> bool) -> bool {
        let mask = self.keys.len() - 1;
        let mut at = key.print as usize & mask;
        // At least half of the places are free.
        while let Some(place) = self.keys.get_mut(at) {
            if place.start == 0 {
                *place = key;
                return true;
            }
            if same(place) {
                return false;
            }
            at = (at + 1) & mask;
        }
        true
    }

    fn grow(&mut self, moving: &mut Vec<Key>) {
        moving.clear();
        moving.extend(self.keys.iter().filter(|key| key.start != 0));
        let len = self.keys.len() * 2;
        self.keys.clear();
        self.keys.resize(len, Key::default());
        for key in moving.drain(..) {
            self.put(key, |_| false);
        }
        if moving.capacity() > KEPT {
            *moving = Vec::new();
        }
    }
}

/// The JSON string that begins at `start`, quotes included.
fn quoted(out: &[u8], start: usize) -> &[u8] {
    let text = out.get(start..).unwrap_or_default();
    let mut escaped = true;
    let end = text.iter().position(|byte| {
        let ends = !escaped && *byte == b'"';
        escaped = !escaped && *byte == b'\\';
        ends
    });
    // The first byte, a quote, counts as escaped and so does not end it.
    end.and_then(|end| text.get(..=end)).unwrap_or_default()
}

/// What most keys differ in.
#[inline]
fn fingerprint(text: &[u8]) -> u64 {
    let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) else {
        let [
            first,
            second,
            third,
            fourth,
            fifth,
            sixth,
            seventh,
            eighth,
            ..,
        ] = scan::padded(text);
        return u64::from_le_bytes([first, second, third, fourth, fifth, sixth, seventh, eighth]);
    };
    let last = u64::from_le_bytes(*last).rotate_left(23);
    (u64::from_le_bytes(*first) ^ last).wrapping_add(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells of each key whether it is new.
    fn news(scratch: &mut Scratch, keys: &[String]) -> Vec<bool> {
        let (mut out, mut map) = (b"{".to_vec(), Keys::new());
        let news = keys.iter().map(|key| {
            let start = out.len();
            out.extend(format!("\"{key}\"").bytes());
            let range = start..out.len();
            let new = map.insert(scratch, &out, range);
            out.extend(b":1,");
            new
        });
        let news = news.collect();
        map.leave(scratch);
        news
    }

    #[test]
    fn a_key_is_new_once_however_many_there_are() {
        let mut scratch = Scratch::default();
        for many in [1, 2, FEW - 1, FEW, FEW + 1, 63, 64, 65, 128, 1_000, 20_000] {
            for name in ["", "k", "a longer name than eight ", "\\\"", "\\\\"] {
                let mut keys: Vec<String> = (0..many).map(|at| format!("{name}{at}")).collect();
                assert_eq!(news(&mut scratch, &keys), vec![true; many]);
                keys.extend_from_within(..);
                let expected = [vec![true; many], vec![false; many]].concat();
                assert_eq!(news(&mut scratch, &keys), expected, "{many} {name}");
            }
        }
        let keys = ["", "\\\\", "\\\"", "x"].map(String::from);
        assert_eq!(news(&mut scratch, &keys), [true; 4]);
    }

    #[test]
    fn keys_that_begin_with_another_are_others() {
        let mut scratch = Scratch::default();
        let keys: Vec<String> = (0..100).map(|len| "k".repeat(len)).collect();
        assert_eq!(news(&mut scratch, &keys), vec![true; 100]);
    }
}

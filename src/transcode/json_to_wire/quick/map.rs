//! Map fields, and the keys of maps: none may be there twice.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use super::{Doubt, Outcome, Quick};
use crate::schema::plan::{Kind, Tag, Target};

/// Maps up to this long are compared key by key.
const FEW: usize = 16;
/// A look-up that takes more steps is no longer worth it.
const MOST_STEPS: usize = 64;
/// What is kept for the next map.
const MOST_KEPT: usize = 1 << 14;

thread_local! {
    static KEYS: Cell<Keys> = const { Cell::new(Keys::NONE) };
}

/// The keys of the maps that are being read, as hashes: where two are equal, the simple pass looks
/// at the keys themselves. Nobody outside knows the seeds, so that no keys can be prepared that
/// fall together.
#[derive(Default)]
pub(super) struct Keys {
    seeds: [u64; 2],
    hashes: Vec<u64>,
    table: Vec<u64>,
}

// === impl Keys ===

impl Keys {
    /// Not ready for use.
    pub(super) const NONE: Self = Self {
        seeds: [0; 2],
        hashes: Vec::new(),
        table: Vec::new(),
    };

    /// Makes ready, with the space of an earlier pass.
    #[cold]
    fn prepare(&mut self) {
        *self = KEYS.take();
        self.hashes.clear();
        if self.seeds == [0; 2] {
            let random = RandomState::new();
            // An odd factor loses nothing.
            self.seeds = [random.hash_one(0), random.hash_one(1) | 1];
        }
    }

    /// Leaves the space to the next pass of this thread.
    pub(super) fn give_back(self) {
        let small = self.hashes.capacity().max(self.table.capacity()) <= MOST_KEPT;
        if small && self.seeds != [0; 2] {
            KEYS.set(self);
        }
    }

    /// Begins a map within those that are being read.
    fn begin(&mut self) -> usize {
        if self.seeds == [0; 2] {
            self.prepare();
        }
        self.hashes.len()
    }

    #[inline]
    fn add(&mut self, key: &[u8]) {
        let hash = self.hash(key);
        self.hashes.push(hash);
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        let fold = |state: u64, word: u64| {
            let product = u128::from(state ^ word) * u128::from(self.seeds[1]);
            product as u64 ^ (product >> 64) as u64
        };
        let (words, rest) = key.as_chunks::<8>();
        let state = words.iter().fold(self.seeds[0], |state, word| {
            fold(state, u64::from_le_bytes(*word))
        });
        let rest = rest
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        // Never 0, which is an empty place of the table.
        fold(fold(state, rest), key.len() as u64) | 1
    }

    /// Ends the map that began at `first`: doubts that all its keys differ.
    fn end(&mut self, first: usize) -> Result<(), Doubt> {
        let hashes = self.hashes.get(first..).unwrap_or_default();
        if hashes.len() > FEW {
            self.look_up(first)?;
        } else {
            for (at, hash) in hashes.iter().enumerate() {
                let twice = hashes
                    .iter()
                    .take(at)
                    .fold(false, |twice, other| twice | (other == hash));
                if twice {
                    return Err(Doubt);
                }
            }
        }
        self.hashes.truncate(first);
        Ok(())
    }

    fn look_up(&mut self, first: usize) -> Result<(), Doubt> {
        let hashes = self.hashes.get(first..).unwrap_or_default();
        let size = (hashes.len() * 2).next_power_of_two();
        self.table.clear();
        self.table.resize(size, 0);
        for hash in hashes {
            let start = (hash >> 32) as usize;
            let mut steps = (start..start + MOST_STEPS).map(|at| at & (size - 1));
            let found = |at: &usize| {
                self.table
                    .get(*at)
                    .is_none_or(|old| *old == 0 || old == hash)
            };
            match steps.find(found).and_then(|at| self.table.get_mut(at)) {
                Some(place) if *place == 0 => *place = *hash,
                _ => return Err(Doubt),
            }
        }
        Ok(())
    }
}

// === impl Quick ===

impl Quick<'_, '_> {
    /// Reads the object of a map field and appends its entries.
    pub(super) fn map_field(&mut self, target: &Target) -> Result<Outcome, Doubt> {
        if self.cursor.token() == b'n' {
            self.cursor.literal(b"null")?;
            return Ok(Outcome::Null);
        }
        let entry = self.tables.message(target.kind.message().ok_or(Doubt)?);
        let numbers = entry.fields.iter().map(|field| field.number);
        let ([key, value], true) = (&*entry.parsing().targets, numbers.eq([1, 2])) else {
            return Err(Doubt);
        };
        self.enter()?;
        if self.cursor.open(b'{', b'}')? {
            let first = self.keys.begin();
            loop {
                self.out.put_tag(target.tag)?;
                let length = self.out.open(self.depth)?;
                let start = self.out.at;
                self.map_key(key)?;
                self.keys.add(self.out.since(start));
                self.cursor.expect(b':')?;
                self.entry_value(value.kind, value.tag)?;
                self.out.close(length)?;
                if !self.cursor.more(b'}')? {
                    break;
                }
            }
            self.keys.end(first)?;
        }
        self.leave();
        Ok(Outcome::Set)
    }

    #[inline(never)]
    fn entry_value(&mut self, kind: Kind, tag: Tag) -> Result<(), Doubt> {
        self.element(kind, tag)
    }

    /// Reads a key and appends its record.
    fn map_key(&mut self, key: &Target) -> Result<(), Doubt> {
        if self.cursor.token() != b'"' {
            return Err(Doubt);
        }
        match key.kind {
            Kind::String => {
                let text = self.cursor.string()?;
                self.put_text(key.tag, text)
            }
            Kind::Bool => {
                let value = match self.cursor.string()?.plain()? {
                    b"true" => 1,
                    b"false" => 0,
                    _ => return Err(Doubt),
                };
                self.out.put_varint(key.tag, value)
            }
            kind => {
                let value = self.cursor.integer()?;
                self.put_integer(kind, key.tag, value, false)
            }
        }
    }

    /// Reads the object of a `Struct` and appends its entries.
    pub(super) fn free_object(&mut self) -> Result<(), Doubt> {
        const ENTRY: Tag = Tag::new(1, 2);
        const KEY: Tag = Tag::new(1, 2);
        const VALUE: Tag = Tag::new(2, 2);
        self.enter()?;
        if self.cursor.open(b'{', b'}')? {
            let first = self.keys.begin();
            loop {
                self.out.put_tag(ENTRY)?;
                let length = self.out.open(self.depth)?;
                let start = self.out.at;
                let text = self.cursor.string()?;
                self.put_text(KEY, text)?;
                self.keys.add(self.out.since(start));
                self.cursor.expect(b':')?;
                self.free_element(VALUE)?;
                self.out.close(length)?;
                if !self.cursor.more(b'}')? {
                    break;
                }
            }
            self.keys.end(first)?;
        }
        self.leave();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_there_twice_are_noticed() {
        for count in [0_u32, 1, 2, FEW as u32, FEW as u32 + 1, 1_000, 100_000] {
            let mut keys = Keys::NONE;
            let outer = keys.begin();
            keys.add(b"outer");
            let first = keys.begin();
            for key in 0..count {
                keys.add(key.to_string().as_bytes());
            }
            assert_eq!(keys.end(first), Ok(()), "{count}");
            let first = keys.begin();
            for key in (0..=count).chain([count / 2]) {
                keys.add(key.to_string().as_bytes());
            }
            assert_eq!(keys.end(first), Err(Doubt), "{count}");
            keys.hashes.truncate(first);
            assert_eq!(keys.end(outer), Ok(()));
        }
    }

    #[test]
    fn keys_of_zeros_differ_by_their_length() {
        let mut keys = Keys::NONE;
        let first = keys.begin();
        for length in 0..20 {
            keys.add(&vec![0; length]);
        }
        assert_eq!(keys.end(first), Ok(()));
    }
}

//! [`ApiKeys`]: callers who are known by a secret of their own, of which only a hash is kept.
//!
//! ```text
//! # name   SHA-256 of the key, in hexadecimal                                  what it is good for
//! billing  5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8   orders.read orders.write
//! ```

use std::fmt;
use std::hash::Hasher;
use std::hint::black_box;
use std::sync::Arc;

use data_encoding::HEXLOWER_PERMISSIVE;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use rustc_hash::{FxHashMap, FxHasher};

/// The largest file that is read.
pub const MOST_BYTES: usize = 16 << 20;

/// The longest key that is looked at.
const LONGEST: usize = 4 << 10;

type Hash = [u8; SHA256_OUTPUT_LEN];

/// The keys of a file.
#[derive(Default)]
pub struct ApiKeys {
    /// By the first bytes of their hashes, which whoever has no key cannot choose.
    keys: FxHashMap<u64, Vec<ApiKey>>,
    digest: u64,
}

/// A key, as far as it is known.
#[derive(Clone, Debug)]
pub(super) struct ApiKey {
    hash: Hash,
    pub(super) name: Arc<str>,
    pub(super) scopes: Vec<Box<str>>,
}

/// What is wrong with a file, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub line: u32,
    /// To stand after the place.
    pub why: &'static str,
}

impl ApiKeys {
    /// Reads a file; all that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<BadLine>> {
        let mut hasher = FxHasher::default();
        hasher.write(text.as_bytes());
        let mut keys = Self {
            keys: FxHashMap::default(),
            digest: hasher.finish(),
        };
        let mut wrong = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            match read(text) {
                Ok(key) if keys.find(&key.hash).is_some() => wrong.push(BadLine {
                    line,
                    why: "the key is there already",
                }),
                Ok(key) => keys.keys.entry(bucket(&key.hash)).or_default().push(key),
                Err(why) => wrong.push(BadLine { line, why }),
            }
        }
        if wrong.is_empty() {
            Ok(keys)
        } else {
            Err(wrong)
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.values().map(Vec::len).sum()
    }

    /// A number that differs when the file does.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whose key this is.
    pub(super) fn owner(&self, key: &[u8]) -> Option<&ApiKey> {
        if key.is_empty() || key.len() > LONGEST {
            return None;
        }
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, key).as_ref());
        self.find(&hash)
    }

    fn find(&self, hash: &Hash) -> Option<&ApiKey> {
        let bucket = self.keys.get(&bucket(hash))?;
        bucket.iter().find(|key| is_same(&key.hash, hash))
    }
}

fn bucket(hash: &Hash) -> u64 {
    hash.iter()
        .take(8)
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// In a time that does not tell how much of it is right.
fn is_same(one: &Hash, other: &Hash) -> bool {
    let differences = one
        .iter()
        .zip(other)
        .fold(0, |seen, (one, other)| black_box(seen | (one ^ other)));
    differences == 0
}

fn read(line: &str) -> Result<ApiKey, &'static str> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(hash)) = (words.next(), words.next()) else {
        return Err("expected a name and the SHA-256 of a key");
    };
    let bytes = HEXLOWER_PERMISSIVE.decode(hash.as_bytes());
    let hash = bytes.ok().and_then(|bytes| Hash::try_from(bytes).ok());
    Ok(ApiKey {
        // What is there instead may be the key itself, and is not repeated.
        hash: hash.ok_or("the second word is not the SHA-256 of a key, 64 hexadecimal digits")?,
        name: name.into(),
        scopes: words.map(Box::from).collect(),
    })
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# nobody knows these\n\n\
        one 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 a b # password\n\
        two 2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25B\n";

    #[test]
    fn a_key_has_an_owner() {
        let keys = ApiKeys::parse(FILE).unwrap();
        assert_eq!(keys.count(), 2);
        for (key, name, scopes) in [("password", "one", 2), ("secret", "two", 0)] {
            let owner = keys.owner(key.as_bytes()).unwrap();
            assert_eq!((&*owner.name, owner.scopes.len()), (name, scopes));
        }
        let hash = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
        for wrong in ["", "Password", "password ", hash, &"x".repeat(5000)] {
            assert!(keys.owner(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(!format!("{keys:?}").contains("5e88"));
    }

    #[test]
    fn what_is_wrong_has_a_line_and_is_not_repeated() {
        for (file, line, says) in [
            ("a\n", 1, "expected a name"),
            ("\na my-secret-key\n", 2, "64 hexadecimal digits"),
            (
                "a 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n\
                 b 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n",
                2,
                "there already",
            ),
        ] {
            let wrong = ApiKeys::parse(file).unwrap_err();
            assert_eq!(wrong.len(), 1);
            assert_eq!(wrong[0].line, line);
            assert!(wrong[0].why.contains(says) && !wrong[0].why.contains("my-secret"));
        }
    }
}

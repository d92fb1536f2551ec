//! The codec against prost-reflect, on random JSON and random wire.
//!
//! Where prost-reflect is known to be wrong the generators keep away, or [`super::pair`] forgives
//! it: it refuses quoted exponents, normalises times that are out of range, fails on unknown types
//! in an `Any` and knows no message sets.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::SCHEMA;
use super::generate::{json, wire};
use super::pair::Pair;
use super::schemas;
use super::values::Entropy;

struct Texts;

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = match name {
            "new.proto" => include_str!("new.proto"),
            "old.proto" => include_str!("old.proto"),
            _ => return Err(protox::Error::file_not_found(name)),
        };
        File::from_source(name, text)
    }
}

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut chain = ChainFileResolver::new();
    chain.add(Texts);
    chain.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(chain);
    compiler.include_imports(true);
    for name in ["new.proto", "old.proto"] {
        compiler.open_file(name).unwrap();
    }
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
});

const TYPES: [&str; 8] = [
    "t.Scalars",
    "t.Optionals",
    "t.Lists",
    "t.Maps",
    "t.Tree",
    "t.Choice",
    "t.Known",
    "t.Old",
];

fn fixed() -> Pair<'static> {
    Pair {
        tables: &SCHEMA.tables,
        pool: &POOL,
    }
}

/// So many cases, the same in every run; `FUZZ_ROUNDS=N` makes it N times as many, others every
/// time.
fn config(cases: u32) -> ProptestConfig {
    let rounds = std::env::var("FUZZ_ROUNDS").ok();
    let rounds: Option<u32> = rounds.and_then(|rounds| rounds.parse().ok());
    ProptestConfig {
        rng_seed: match rounds {
            None => RngSeed::Fixed(3),
            Some(_) => RngSeed::Random,
        },
        ..ProptestConfig::with_cases(cases * rounds.unwrap_or(1))
    }
}

fn seed() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..300)
}

type Edit = (prop::sample::Index, u8, u8);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4)
}

/// Breaks wire: a byte more, a byte less, another byte, some bytes twice.
fn edit(bytes: &mut Vec<u8>, edits: Vec<Edit>) {
    for (place, byte, edit) in edits {
        let at = place.index(bytes.len() + 1);
        match edit {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.extend_from_within(at..),
            _ => {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn json_is_read_alike(which in 0..TYPES.len(), seed in seed()) {
        let name = TYPES[which];
        let text = json(&SCHEMA.tables, fixed().message(name), &mut Entropy::new(&seed));
        let result = fixed().reads_alike(name, &text);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }

    #[test]
    fn wire_is_printed_alike(which in 0..TYPES.len(), seed in seed()) {
        let name = TYPES[which];
        let bytes = wire(&SCHEMA.tables, fixed().message(name), &mut Entropy::new(&seed));
        let result = fixed().prints_alike(name, &bytes);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }

    #[test]
    fn broken_wire_is_printed_alike(which in 0..TYPES.len(), seed in seed(), edits in edits()) {
        let name = TYPES[which];
        let mut bytes = wire(&SCHEMA.tables, fixed().message(name), &mut Entropy::new(&seed));
        edit(&mut bytes, edits);
        let result = fixed().survives(name, &bytes);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}

proptest! {
    #![proptest_config(config(200))]

    /// Any schema, any of its messages, any values, and the same broken.
    #[test]
    fn every_schema_is_served_alike(
        schema in prop::collection::vec(any::<u8>(), 0..600),
        seeds in prop::collection::vec((seed(), edits()), 8),
    ) {
        let made = schemas::make(&mut Entropy::new(&schema));
        let pair = Pair { tables: &made.schema.tables, pool: &made.pool };
        for ((seed, edits), name) in seeds.into_iter().zip(made.names.iter().cycle()) {
            let id = pair.message(name);
            let text = json(pair.tables, id, &mut Entropy::new(&seed));
            let read = pair.reads_alike(name, &text);
            prop_assert!(read.is_ok(), "{}", read.unwrap_err());
            let mut bytes = wire(pair.tables, id, &mut Entropy::new(&seed));
            let printed = pair.prints_alike(name, &bytes);
            prop_assert!(printed.is_ok(), "{}", printed.unwrap_err());
            edit(&mut bytes, edits);
            let survived = pair.survives(name, &bytes);
            prop_assert!(survived.is_ok(), "{}", survived.unwrap_err());
        }
    }
}

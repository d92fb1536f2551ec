//! The quick pass of wire to JSON against the simple one: what comes of a message is the same, byte
//! by byte and error by error, with every option and every limit.
//!
//! All records grouped, as after a conflict, may come out in another order, and what is wrong but
//! overwritten further on is not met; but where a message has no such disorder, that too is the same.

use proptest::prelude::*;

use super::assemble::assemble;
use super::cases::check;
use super::generate::wire;
use super::values::Entropy;
use super::{SCHEMA, message};
use crate::schema::policy::{Defaults, Enums, FieldNames, Int64, JsonOptions};
use crate::transcode::wire_to_json::{
    Response, WireError, Written, transcode, transcode_grouped, transcode_simply,
};

const TYPES: [&str; 12] = [
    "Scalars",
    "Optionals",
    "Lists",
    "Maps",
    "Tree",
    "Choice",
    "Known",
    "Old",
    "Needs",
    "Request",
    "google.protobuf.Value",
    "google.protobuf.Any",
];

type Printed = Result<(String, Written), WireError>;
type Transcode = fn(&Response<'_>, &[u8], &mut Vec<u8>) -> Result<Written, WireError>;

fn print(transcode: Transcode, response: &Response<'_>, wire: &[u8]) -> Printed {
    let mut out = b"kept".to_vec();
    let written = transcode(response, wire, &mut out)?;
    let json = String::from_utf8(out.split_off(4)).expect("JSON is UTF-8");
    assert_eq!(out, b"kept");
    Ok((json, written))
}

/// Every combination of options, by number.
fn options(which: u8) -> JsonOptions {
    let pick = |bit: u8| which >> bit & 1 == 1;
    JsonOptions {
        names: if pick(0) {
            FieldNames::Proto
        } else {
            FieldNames::Camel
        },
        int64: if pick(1) {
            Int64::Number
        } else {
            Int64::String
        },
        defaults: match (pick(2), pick(4)) {
            (false, false) => Defaults::Omit,
            (true, false) => Defaults::Emit,
            (_, true) => Defaults::EmitNull,
        },
        enums: if pick(3) { Enums::Number } else { Enums::Name },
        ..JsonOptions::default()
    }
}

/// Prints in both ways, with the options of this number and up to a limit.
fn compare(name: &str, wire: &[u8], which: u8, limit: usize) -> Result<(), String> {
    let response = Response {
        tables: &SCHEMA.tables,
        message: message(name),
        selection: None,
        options: &options(which),
        limit,
    };
    let quick = print(transcode, &response, wire);
    let simple = print(transcode_simply, &response, wire);
    if quick != simple {
        return Err(format!("{name} {which} {wire:?}\n{quick:?}\n{simple:?}"));
    }
    let Ok((json, written)) = &quick else {
        return Ok(());
    };
    // What the simple pass prints, the grouped one prints too, in order of the fields.
    match print(transcode_grouped, &response, wire) {
        Ok((grouped, again)) if written == &again && sorted(json) == sorted(&grouped) => Ok(()),
        grouped => Err(format!("{name} {which} {wire:?}\n{quick:?}\n{grouped:?}")),
    }
}

/// Without the order of members.
fn sorted(json: &str) -> serde_json::Value {
    serde_json::from_str(json).expect("it is JSON")
}

#[test]
fn the_cases_are_printed_alike_with_every_option() {
    check(include_str!("cases/wire.txt"), |name, wire| {
        let wire = assemble(wire);
        for which in 0..32 {
            compare(name, &wire, which, 1 << 20).unwrap();
        }
        let response = Response {
            tables: &SCHEMA.tables,
            message: message(name),
            selection: None,
            options: &JsonOptions::default(),
            limit: 1 << 20,
        };
        match print(transcode_simply, &response, &wire) {
            Ok((json, _)) => json,
            Err(error) => error.to_string(),
        }
    });
}

/// The tables have another way above a certain tag, and another one above 64 fields.
#[test]
fn wide_messages_are_printed_alike() {
    for wire in [
        "1:1 70:2 128:\"x\" 300:3 5000:4",
        "5000:4 300:3 1:1 70:2 70:3 1:4",
        "300:[1 2] 5000:\"x\" 257:1 256:1 255:1",
    ] {
        for which in 0..32 {
            compare("Wide", &assemble(wire), which, 1 << 20).unwrap();
        }
    }
}

/// What is legal but in disorder, and what is wrong but does not count, by all three passes.
#[test]
fn disorder_has_one_outcome() {
    check(include_str!("cases/disorder.txt"), |name, wire| {
        let wire = assemble(wire);
        for which in 0..32 {
            compare(name, &wire, which, 1 << 20).unwrap();
        }
        let response = Response {
            tables: &SCHEMA.tables,
            message: message(name),
            selection: None,
            options: &JsonOptions::default(),
            limit: 1 << 20,
        };
        match print(transcode, &response, &wire) {
            Ok((json, written)) => format!("{} {json}", written.unknown_fields),
            Err(error) => error.to_string(),
        }
    });
}

/// Messages of every type, cut off at every byte, and with one bit of every byte turned over.
#[test]
fn what_is_cut_or_flipped_is_printed_alike() {
    let mut random = 1_u64;
    for (name, round) in TYPES
        .iter()
        .flat_map(|name| (0..8_u8).map(move |at| (name, at)))
    {
        let seed: Vec<u8> = (0..250)
            .map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (random >> 56) as u8
            })
            .collect();
        let bytes = wire(&SCHEMA.tables, message(name), &mut Entropy::new(&seed));
        for at in 0..bytes.len() {
            let which = (at % 32) as u8;
            compare(name, &bytes[..at], which, 1 << 20).unwrap();
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << ((usize::from(round) + at) % 8);
            compare(name, &flipped, which, 1 << 20).unwrap();
        }
        // A limit that is just met is met in every way, and one byte less in none.
        let response = Response {
            tables: &SCHEMA.tables,
            message: message(name),
            selection: None,
            options: &JsonOptions::default(),
            limit: usize::MAX,
        };
        if let Ok((json, _)) = print(transcode, &response, &bytes) {
            for limit in [json.len(), json.len() - 1] {
                let response = Response { limit, ..response };
                compare(name, &bytes, 0, limit).unwrap();
                let printed = print(transcode, &response, &bytes);
                assert_eq!(printed.is_ok(), limit == json.len(), "{name} {bytes:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn wire_is_printed_alike(
        which in 0..TYPES.len(),
        options in 0..16_u8,
        seed in prop::collection::vec(any::<u8>(), 0..400),
        limit in prop_oneof![3 => Just(1_usize << 20), 1 => 0..400_usize],
    ) {
        let name = TYPES[which];
        let bytes = wire(&SCHEMA.tables, message(name), &mut Entropy::new(&seed));
        let result = compare(name, &bytes, options, limit);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }

    #[test]
    fn broken_wire_is_printed_alike(
        which in 0..TYPES.len(),
        options in 0..16_u8,
        seed in prop::collection::vec(any::<u8>(), 0..400),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let name = TYPES[which];
        let mut bytes = wire(&SCHEMA.tables, message(name), &mut Entropy::new(&seed));
        for (place, byte, edit) in edits {
            let at = place.index(bytes.len() + 1);
            match edit {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                // The same records once more.
                2 => bytes.extend_from_within(at..),
                _ => if let Some(place) = bytes.get_mut(at) { *place = byte },
            }
        }
        let result = compare(name, &bytes, options, 1 << 20);
        prop_assert!(result.is_ok(), "{}", result.unwrap_err());
    }
}

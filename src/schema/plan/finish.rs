//! The last pass over the tables, when every field of every message is known: map entries are
//! held to their form, extensions join the messages they extend, well-known types are marked.

use rustc_hash::{FxHashMap, FxHashSet};

use super::declare::Declared;
use super::define::{Definitions, Extension, index_names, is_options};
use super::{Cardinality, Field, Kind, Message, MessageId, Tables, WellKnown};
use crate::schema::load::Loaded;
use crate::schema::problem::{Location, Problem};

impl Definitions {
    /// Completes the tables after the last file.
    pub(in crate::schema) fn finish(&mut self, files: &[Loaded], problems: &mut Vec<Problem>) {
        let extensions = std::mem::take(&mut self.extensions);
        let Declared {
            tables, messages, ..
        } = &mut self.declared;
        let place = |id: usize| {
            let file = files.get(messages.get(id)?.file as usize)?;
            Some(file.places.whole())
        };
        drop_broken_maps(tables, place, problems);
        join_extensions(tables, extensions, problems);
        mark_well_known(tables, place, problems);
    }
}

/// Takes out the map fields whose entry type is not one: a key of a type that keys do not have,
/// or a value whose type is missing, which is reported already.
fn drop_broken_maps(
    tables: &mut Tables,
    place: impl Fn(usize) -> Option<Location>,
    problems: &mut Vec<Problem>,
) {
    let mut broken = FxHashSet::default();
    for (index, message) in (0..).zip(&mut tables.messages) {
        if message.map_entry && !is_map_entry(message) {
            message.map_entry = false;
            broken.insert(MessageId(index));
        }
    }
    if broken.is_empty() {
        return;
    }
    let is_broken = |field: &Field| {
        field.cardinality == Cardinality::Map
            && field.kind.message().is_some_and(|id| broken.contains(&id))
    };
    for (id, message) in tables.messages.iter_mut().enumerate() {
        if !message.fields.iter().any(is_broken) {
            continue;
        }
        let (gone, kept): (Vec<Field>, Vec<Field>) = std::mem::take(&mut message.fields)
            .into_iter()
            .partition(is_broken);
        for field in gone {
            problems.push(
                Problem::error(
                    place(id),
                    format!(
                        "map `{}.{}` has no usable entry type",
                        message.full_name, field.name
                    ),
                )
                .with_note(None, "the field is left out and treated as unknown"),
            );
        }
        message.names = index_names(&kept, |_, _, _| {});
        message.fields = kept.into();
    }
}

fn is_map_entry(message: &Message) -> bool {
    let [key, value] = &*message.fields else {
        return false;
    };
    let key_type = matches!(
        key.kind,
        Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64
            | Kind::Bool
            | Kind::String
    );
    let singular = |field: &Field| field.cardinality == Cardinality::Singular;
    (key.number, value.number) == (1, 2) && key_type && singular(key) && singular(value)
}

/// Puts extensions among the fields of the messages they extend.
fn join_extensions(tables: &mut Tables, extensions: Vec<Extension>, problems: &mut Vec<Problem>) {
    let mut by_message: FxHashMap<MessageId, Vec<Extension>> = FxHashMap::default();
    let mut order = Vec::new();
    for extension in extensions {
        let of_message = by_message.entry(extension.extendee).or_insert_with(|| {
            order.push(extension.extendee);
            Vec::new()
        });
        of_message.push(extension);
    }
    for id in order {
        let Some(message) = tables.messages.get_mut(id.0 as usize) else {
            continue;
        };
        let mut fields = std::mem::take(&mut message.fields).into_vec();
        let mut taken: FxHashSet<u32> = fields.iter().map(|field| field.number).collect();
        for Extension { field, place, .. } in by_message.remove(&id).unwrap_or_default() {
            let full = fields.len() >= usize::from(u16::MAX);
            if full || !taken.insert(field.number) {
                if !is_options(&message.full_name) {
                    problems.push(left_out(&field, &message.full_name, place));
                }
                continue;
            }
            fields.push(field);
        }
        fields.sort_unstable_by_key(|field| field.number);
        message.names = index_names(&fields, |_, _, _| {});
        message.fields = fields.into();
    }
}

fn left_out(extension: &Field, extendee: &str, place: Location) -> Problem {
    let (name, number) = (&extension.name, extension.number);
    let text = format!("extension `{name}` is left out: field {number} of `{extendee}` is taken");
    Problem::warning(place, text)
}

/// Marks the types whose JSON form is special, but none that only has the name of one: the codec
/// relies on their fields.
fn mark_well_known(
    tables: &mut Tables,
    place: impl Fn(usize) -> Option<Location>,
    problems: &mut Vec<Problem>,
) {
    for (name, well_known, shape) in WELL_KNOWN {
        let Some(id) = tables.find_message(&format!("google.protobuf.{name}")) else {
            continue;
        };
        let fits = shape.iter().all(|(number, cardinality, form)| {
            tables.message(id).by_number(*number).is_some_and(|field| {
                field.cardinality == *cardinality && form.fits(field.kind, tables)
            })
        });
        let Some(message) = tables.messages.get_mut(id.0 as usize) else {
            continue;
        };
        if fits {
            message.well_known = Some(*well_known);
            continue;
        }
        problems.push(Problem::warning(
            place(id.0 as usize),
            format!(
                "`{}` is not the well-known type of that name and has no special JSON form",
                message.full_name
            ),
        ));
    }
}

/// What a field of a well-known type is.
enum Form {
    Scalar(Kind),
    /// The message of this full name.
    Message(&'static str),
    /// A map from strings to the message of this full name.
    MapTo(&'static str),
    NullValue,
}

impl Form {
    fn fits(&self, kind: Kind, tables: &Tables) -> bool {
        let is = |id: MessageId, name: &str| &*tables.message(id).full_name == name;
        match (self, kind) {
            (Self::Scalar(expected), kind) => *expected == kind,
            (Self::Message(name), Kind::Message(id)) => is(id, name),
            (Self::NullValue, Kind::Enum(id)) => tables.enumeration(id).null_value,
            (Self::MapTo(name), Kind::Message(entry)) => {
                let entry = tables.message(entry);
                let kind = |number| entry.by_number(number).map(|field| field.kind);
                let value = kind(2).and_then(Kind::message);
                kind(1) == Some(Kind::String) && value.is_some_and(|value| is(value, name))
            }
            (Self::Message(_) | Self::NullValue | Self::MapTo(_), _) => false,
        }
    }
}

type Shape = &'static [(u32, Cardinality, Form)];

const ONE: Cardinality = Cardinality::Singular;
const MANY: Cardinality = Cardinality::Repeated;
const VALUE: &str = "google.protobuf.Value";
const INSTANT: Shape = &[
    (1, ONE, Form::Scalar(Kind::Int64)),
    (2, ONE, Form::Scalar(Kind::Int32)),
];

/// The types of google/protobuf that have a JSON form of their own, and the fields it is made of.
const WELL_KNOWN: &[(&str, WellKnown, Shape)] = &[
    (
        "Any",
        WellKnown::Any,
        &[
            (1, ONE, Form::Scalar(Kind::String)),
            (2, ONE, Form::Scalar(Kind::Bytes)),
        ],
    ),
    ("Timestamp", WellKnown::Timestamp, INSTANT),
    ("Duration", WellKnown::Duration, INSTANT),
    (
        "FieldMask",
        WellKnown::FieldMask,
        &[(1, MANY, Form::Scalar(Kind::String))],
    ),
    (
        "Struct",
        WellKnown::Struct,
        &[(1, Cardinality::Map, Form::MapTo(VALUE))],
    ),
    (
        "Value",
        WellKnown::Value,
        &[
            (1, ONE, Form::NullValue),
            (2, ONE, Form::Scalar(Kind::Double)),
            (3, ONE, Form::Scalar(Kind::String)),
            (4, ONE, Form::Scalar(Kind::Bool)),
            (5, ONE, Form::Message("google.protobuf.Struct")),
            (6, ONE, Form::Message("google.protobuf.ListValue")),
        ],
    ),
    (
        "ListValue",
        WellKnown::ListValue,
        &[(1, MANY, Form::Message(VALUE))],
    ),
    ("Empty", WellKnown::Empty, &[]),
    (
        "DoubleValue",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::Double))],
    ),
    (
        "FloatValue",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::Float))],
    ),
    (
        "Int64Value",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::Int64))],
    ),
    (
        "UInt64Value",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::Uint64))],
    ),
    (
        "Int32Value",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::Int32))],
    ),
    (
        "UInt32Value",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::Uint32))],
    ),
    (
        "BoolValue",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::Bool))],
    ),
    (
        "StringValue",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::String))],
    ),
    (
        "BytesValue",
        WellKnown::Wrapper,
        &[(1, ONE, Form::Scalar(Kind::Bytes))],
    ),
];

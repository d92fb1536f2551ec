//! The last pass over the tables, when every field of every message is known: map entries are
//! held to their form, extensions join the messages they extend, well-known types are marked.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::declare::{Declared, Owner};
use super::define::{Definitions, Extension, is_options};
use super::field::Resolved;
use super::{Cardinality, Field, Kind, MessageId, Tables, WellKnown};
use crate::schema::files::Extensions;
use crate::schema::load::Loaded;
use crate::schema::problem::{Location, Problem};

impl Definitions {
    /// Completes the tables after the last file; they, and what reflection needs to know.
    pub(in crate::schema) fn finish(
        self,
        files: &[Loaded],
        problems: &mut Vec<Problem>,
    ) -> (Tables, Extensions) {
        let Self {
            mut declared,
            extensions,
            extension_files,
        } = self;
        declared.resolver.files = files.iter().map(|file| file.bytes.clone()).collect();
        declared.drop_broken_maps(files, problems);
        declared.join_extensions(extensions, problems);
        let Declared {
            mut tables,
            resolver,
            messages,
            enums,
            ..
        } = declared;
        tables.resolver = Arc::new(resolver);
        for (message, owner) in tables.messages.iter_mut().zip(&messages) {
            if let Some(origin) = owner.origin {
                message.shape.set_origin(&tables.resolver, origin);
            }
        }
        for (enumeration, owner) in tables.enums.iter_mut().zip(&enums) {
            if let Some(origin) = owner.origin {
                enumeration.listed.set_origin(&tables.resolver, origin);
            }
        }
        let place = |id: MessageId| place_of(messages.get(id.0 as usize)?, files);
        mark_well_known(&mut tables, place, problems);
        (tables, extension_files)
    }
}

fn place_of(owner: &Owner, files: &[Loaded]) -> Option<Location> {
    Some(files.get(owner.file as usize)?.places.whole())
}

impl Declared {
    /// The fields that a message declares itself.
    fn own_fields(&self, id: MessageId) -> Vec<Field> {
        let at = id.0 as usize;
        let message = self.tables.messages.get(at);
        let origin = self.messages.get(at).and_then(|owner| owner.origin);
        let (Some(message), Some(origin)) = (message, origin) else {
            return Vec::new();
        };
        self.resolver.own_fields(&message.full_name, &origin).0
    }

    /// Reports the map fields whose entry type is not one: a key of a type that keys do not have,
    /// or a value whose type is missing, which is reported already.
    fn drop_broken_maps(&mut self, files: &[Loaded], problems: &mut Vec<Problem>) {
        if self.resolver.broken_entries.is_empty() {
            return;
        }
        for id in &self.resolver.broken_entries {
            if let Some(message) = self.tables.messages.get_mut(id.0 as usize) {
                message.map_entry = false;
            }
        }
        let messages = self.tables.messages.iter().zip(&self.messages);
        for (id, (message, owner)) in (0..).map(MessageId).zip(messages) {
            for field in self.own_fields(id) {
                if !self.resolver.is_broken(&field) {
                    continue;
                }
                let (name, own) = (&message.full_name, &field.name);
                problems.push(
                    Problem::error(
                        place_of(owner, files),
                        format!("map `{name}.{own}` has no usable entry type"),
                    )
                    .with_note(None, "the field is left out and treated as unknown"),
                );
            }
        }
    }

    /// Gives extensions to the messages they extend.
    fn join_extensions(&mut self, extensions: Vec<Extension>, problems: &mut Vec<Problem>) {
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
            let Some(message) = self.tables.messages.get(id.0 as usize) else {
                continue;
            };
            let own = self.own_fields(id);
            let own = own.iter().filter(|field| !self.resolver.is_broken(field));
            let mut taken: FxHashSet<u32> = own.map(|field| field.number).collect();
            let mut joined = Vec::new();
            for Extension { field, place, .. } in by_message.remove(&id).unwrap_or_default() {
                let full = taken.len() >= usize::from(u16::MAX);
                if full || !taken.insert(field.number) {
                    if !is_options(&message.full_name) {
                        problems.push(left_out(&field, &message.full_name, place));
                    }
                    continue;
                }
                joined.push(field);
            }
            self.resolver.extensions.insert(id, joined);
        }
    }
}

pub(super) fn is_map_entry(fields: &[Resolved<'_>]) -> bool {
    let [key, value] = fields else {
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
    let singular = |field: &Resolved<'_>| field.cardinality == Cardinality::Singular;
    (key.number, value.number) == (1, 2) && key_type && singular(key) && singular(value)
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
    place: impl Fn(MessageId) -> Option<Location>,
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
            place(id),
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

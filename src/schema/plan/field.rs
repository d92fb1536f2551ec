//! One field: from its descriptor and what it inherits to its entry in the tables, or the
//! reason why it has none.

use std::borrow::Cow;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::define::{Oneofs, Pass};
use super::lazy::Resolver;
use super::{Cardinality, Field, Kind, TypeId};
use crate::schema::descriptor::{Label, Type};
use crate::schema::features::{Features, Presence};
use crate::schema::load::Loaded;
use crate::schema::name;
use crate::schema::problem::{Location, Problem};
use crate::schema::view;

/// The highest number that a tag can hold.
const HIGHEST_NUMBER: u32 = (1 << 29) - 1;

/// Why a field has no entry in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its name is none.
    Name,
    /// Its number fits in no tag.
    Number(i32),
    /// It has no type, or one that does not exist.
    Type(i32),
    /// It says it is a message, and the name is that of an enum; or the other way round.
    WrongType(&'static str),
    /// No loaded file declares its type.
    MissingType,
    /// Another field has its number.
    NumberTaken(u32),
    /// Another field has its name.
    NameTaken,
    /// The tables count fields in 16 bits.
    TooMany,
}

/// The types that a file refers to and nobody declares, in order.
#[derive(Debug, Default)]
pub(super) struct Missing {
    types: Vec<MissingType>,
    by_name: FxHashMap<String, usize>,
}

#[derive(Debug)]
struct MissingType {
    name: String,
    field: String,
    place: Location,
    more: usize,
}

impl Missing {
    pub(super) fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    fn add(&mut self, name: &str, field: impl FnOnce() -> (String, Location)) {
        if let Some(found) = self.by_name.get(name) {
            if let Some(known) = self.types.get_mut(*found) {
                known.more += 1;
            }
            return;
        }
        self.by_name.insert(name.to_owned(), self.types.len());
        let (field, place) = field();
        self.types.push(MissingType {
            name: name.to_owned(),
            field,
            place,
            more: 0,
        });
    }

    /// One problem for each type, however many fields need it.
    pub(super) fn report(self, file: &Loaded, problems: &mut Vec<Problem>) {
        for missing in self.types {
            let more = match missing.more {
                0 => String::new(),
                1 => " (and so has 1 more field)".to_owned(),
                more => format!(" (and so have {more} more fields)"),
            };
            problems.push(
                Problem::error(
                    missing.place,
                    format!(
                        "field `{}` has type `{}`, which no loaded file declares{more}",
                        name::show(&missing.field),
                        name::show(missing.name.trim_start_matches('.')),
                    ),
                )
                .with_note(None, "what has this type is treated as an unknown field")
                .with_help(file.help_for_missing()),
            );
        }
    }
}

/// What fields are resolved with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) resolver: &'a Resolver,
    /// The full name of their message, or for an extension of what encloses it.
    pub(super) scope: &'a str,
    pub(super) oneofs: &'a Oneofs<'a>,
    pub(super) outer: Features,
}

/// A field that is sound: a [`Field`] whose names are still those of the descriptor.
#[allow(
    clippy::struct_excessive_bools,
    reason = "the independent facts of a field"
)]
#[derive(Debug)]
pub(super) struct Resolved<'p> {
    pub(super) number: u32,
    pub(super) name: &'p str,
    pub(super) json_name: Cow<'p, str>,
    pub(super) kind: Kind,
    pub(super) cardinality: Cardinality,
    packed: bool,
    presence: bool,
    required: bool,
    oneof: Option<u16>,
    optional: bool,
    verify_utf8: bool,
}

impl From<Resolved<'_>> for Field {
    fn from(resolved: Resolved<'_>) -> Self {
        let name: Arc<str> = resolved.name.into();
        let json_name = if resolved.json_name == resolved.name {
            Arc::clone(&name)
        } else {
            resolved.json_name.into()
        };
        Self {
            number: resolved.number,
            name,
            json_name,
            kind: resolved.kind,
            cardinality: resolved.cardinality,
            packed: resolved.packed,
            presence: resolved.presence,
            required: resolved.required,
            oneof: resolved.oneof,
            optional: resolved.optional,
            verify_utf8: resolved.verify_utf8,
        }
    }
}

/// The sound fields of a message, ascending by number; `refuse` is told of the others, each with
/// its place among the fields.
pub(super) fn fields<'p>(
    context: &Context<'_>,
    proto: &view::Message<'p>,
    mut refuse: impl FnMut(i32, &view::Field<'p>, Refusal),
) -> Vec<Resolved<'p>> {
    let mut fields: Vec<Resolved<'p>> = Vec::with_capacity(proto.field.len());
    // Compilers let no name stand twice and mostly write fields in the order of their numbers.
    let doubtful = may_repeat(proto.field.iter().map(|field| field.name));
    let mut names = FxHashSet::default();
    let mut numbers = FxHashSet::default();
    let mut highest = 0;
    for (at, field) in (0..).zip(&proto.field) {
        let built = resolve(context, field).and_then(|built| {
            let ascends = built.number > highest;
            if !ascends && numbers.is_empty() {
                numbers.extend(fields.iter().map(|field| field.number));
            }
            if fields.len() >= usize::from(u16::MAX) {
                Err(Refusal::TooMany)
            } else if !ascends && numbers.contains(&built.number) {
                Err(Refusal::NumberTaken(built.number))
            } else if doubtful && !names.insert(built.name) {
                Err(Refusal::NameTaken)
            } else {
                Ok(built)
            }
        });
        match built {
            Ok(field) => {
                highest = highest.max(field.number);
                if !numbers.is_empty() {
                    numbers.insert(field.number);
                }
                fields.push(field);
            }
            Err(refusal) => refuse(at, field, refusal),
        }
    }
    fields.sort_unstable_by_key(|field| field.number);
    fields
}

/// Whether one of the texts may be there twice: hardly ever when none is.
pub(super) fn may_repeat(texts: impl Iterator<Item: AsRef<str>>) -> bool {
    let hasher = BuildHasherDefault::<FxHasher>::default();
    let mut hashes: Vec<u64> = texts.map(|text| hasher.hash_one(text.as_ref())).collect();
    hashes.sort_unstable();
    hashes.windows(2).any(|pair| pair.first() == pair.last())
}

/// The entry of one field.
pub(super) fn resolve<'p>(
    context: &Context<'_>,
    proto: &view::Field<'p>,
) -> Result<Resolved<'p>, Refusal> {
    if !name::is_identifier(proto.name) {
        return Err(Refusal::Name);
    }
    let number = u32::try_from(proto.number)
        .ok()
        .filter(|number| (1..=HIGHEST_NUMBER).contains(number))
        .ok_or(Refusal::Number(proto.number))?;
    let oneof = context.oneofs.of(proto);
    let inherited = match oneof.and_then(|(oneof, _)| oneof.options.as_ref()) {
        Some(options) => context.outer.with(options.features.as_ref()),
        None => context.outer,
    };
    let features = inherited.of_field(proto);
    let repeated = proto.label == Some(Label::Repeated as i32);
    let (kind, map) = kind(context, proto, repeated, features)?;
    let cardinality = match (repeated, map) {
        (true, true) => Cardinality::Map,
        (true, false) => Cardinality::Repeated,
        (false, _) => Cardinality::Singular,
    };
    let explicit =
        features.presence != Presence::Implicit || kind.message().is_some() || oneof.is_some();
    Ok(Resolved {
        number,
        name: proto.name,
        json_name: match proto.json_name {
            "" => Cow::Owned(name::derive_json_name(proto.name)),
            given => Cow::Borrowed(given),
        },
        kind,
        cardinality,
        packed: repeated && features.packed && kind.packable(),
        presence: !repeated && explicit,
        required: !repeated && features.presence == Presence::Required,
        oneof: oneof.and_then(|(_, index)| index).filter(|_| !repeated),
        optional: proto.proto3_optional,
        verify_utf8: features.verify_utf8,
    })
}

/// The kind of a field, and whether its type is a map entry.
fn kind(
    context: &Context<'_>,
    proto: &view::Field<'_>,
    repeated: bool,
    features: Features,
) -> Result<(Kind, bool), Refusal> {
    // A hand-made descriptor may leave the type to what the name leads to.
    let declared = match proto.kind {
        Some(number) => Some(Type::try_from(number).map_err(|_unknown| Refusal::Type(number))?),
        None if proto.type_name.is_some() => None,
        None => return Err(Refusal::Type(0)),
    };
    if let Some(kind) = declared.and_then(scalar) {
        return Ok((kind, false));
    }
    let Context {
        resolver, scope, ..
    } = *context;
    let is_entry = |id: super::MessageId| resolver.entries.get(id.0 as usize) == Some(&true);
    let found = name::resolve(proto.type_name(), scope, |name| resolver.find(name));
    match (found, declared) {
        (None, _) => Err(Refusal::MissingType),
        (Some(TypeId::Enum(id)), Some(Type::Enum) | None) => Ok((Kind::Enum(id), false)),
        (Some(TypeId::Enum(_)), Some(_)) => Err(Refusal::WrongType("an enum")),
        (Some(TypeId::Message(_)), Some(Type::Enum)) => Err(Refusal::WrongType("a message")),
        (Some(TypeId::Message(id)), _) => {
            let map = repeated && is_entry(id);
            // Maps and what is in them are never delimited, whatever they inherit.
            let in_entry = || match resolver.find(scope) {
                Some(TypeId::Message(scope)) => is_entry(scope),
                Some(TypeId::Enum(_)) | None => false,
            };
            if features.delimited && !map && !in_entry() {
                Ok((Kind::Group(id), false))
            } else {
                Ok((Kind::Message(id), map))
            }
        }
    }
}

// === impl Pass ===

impl Pass<'_> {
    /// Reports a field that is left out.
    pub(super) fn refuse(&mut self, scope: &str, proto: &view::Field<'_>, refusal: Refusal) {
        let full = name::join(scope, proto.name);
        let field = name::show(&full);
        let text = match refusal {
            Refusal::MissingType => {
                let place = || (full.clone(), self.file.places.at(&self.path));
                self.missing.add(proto.type_name(), place);
                return;
            }
            Refusal::Name => format!("field `{field}` has a name that is not a name"),
            Refusal::Number(number) => format!(
                "field `{field}` has number {number}; numbers go from 1 to {HIGHEST_NUMBER}"
            ),
            Refusal::Type(number) => format!("field `{field}` has no known type ({number})"),
            Refusal::WrongType(found) => format!(
                "the type `{}` of field `{field}` is {found}",
                name::show(proto.type_name().trim_start_matches('.'))
            ),
            Refusal::NumberTaken(number) => {
                format!("field `{field}` has number {number}, which another field has")
            }
            Refusal::NameTaken => format!("field `{field}` is declared twice"),
            Refusal::TooMany => format!(
                "field `{field}` is one too many: a message has at most {} fields",
                u16::MAX
            ),
        };
        self.problems.push(
            Problem::error(self.place(), text)
                .with_note(None, "the field is left out and treated as unknown"),
        );
    }
}

/// The kind of a type that needs no name.
fn scalar(declared: Type) -> Option<Kind> {
    Some(match declared {
        Type::Double => Kind::Double,
        Type::Float => Kind::Float,
        Type::Int64 => Kind::Int64,
        Type::Uint64 => Kind::Uint64,
        Type::Int32 => Kind::Int32,
        Type::Fixed64 => Kind::Fixed64,
        Type::Fixed32 => Kind::Fixed32,
        Type::Bool => Kind::Bool,
        Type::String => Kind::String,
        Type::Bytes => Kind::Bytes,
        Type::Uint32 => Kind::Uint32,
        Type::Sfixed32 => Kind::Sfixed32,
        Type::Sfixed64 => Kind::Sfixed64,
        Type::Sint32 => Kind::Sint32,
        Type::Sint64 => Kind::Sint64,
        Type::Group | Type::Message | Type::Enum => return None,
    })
}

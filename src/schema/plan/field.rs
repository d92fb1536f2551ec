//! One field: from its descriptor and what it inherits to its entry in the tables, or the
//! reason why it has none.

use rustc_hash::FxHashMap;

use super::define::{Oneofs, Pass};
use super::{Cardinality, Field, Kind, TypeId};
use crate::schema::descriptor::{FieldDescriptorProto, Label, Type};
use crate::schema::features::{Features, Presence};
use crate::schema::load::Loaded;
use crate::schema::name;
use crate::schema::problem::{Location, Problem};

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

// === impl Pass ===

impl Pass<'_> {
    /// The entry of a field that stands in `scope`: its message, or for an extension what
    /// encloses it.
    pub(super) fn field(
        &mut self,
        scope: &str,
        proto: &FieldDescriptorProto,
        oneofs: &Oneofs<'_>,
        outer: Features,
    ) -> Result<Field, Refusal> {
        if !name::is_identifier(proto.name()) {
            return Err(Refusal::Name);
        }
        let number = u32::try_from(proto.number())
            .ok()
            .filter(|number| (1..=HIGHEST_NUMBER).contains(number))
            .ok_or_else(|| Refusal::Number(proto.number()))?;
        let oneof = oneofs.of(proto);
        let inherited = match oneof.and_then(|(oneof, _)| oneof.options.as_ref()) {
            Some(options) => outer.with(options.features.as_ref()),
            None => outer,
        };
        let features = inherited.of_field(proto);
        let repeated = proto.label == Some(Label::Repeated as i32);
        let (kind, map) = self.kind(scope, proto, repeated, features)?;
        let cardinality = match (repeated, map) {
            (true, true) => Cardinality::Map,
            (true, false) => Cardinality::Repeated,
            (false, _) => Cardinality::Singular,
        };
        let explicit =
            features.presence != Presence::Implicit || kind.message().is_some() || oneof.is_some();
        let name = self.definitions.interner.share(proto.name());
        let json_name = match proto.json_name() {
            "" => {
                let derived = name::derive_json_name(&name);
                self.definitions.interner.share(&derived)
            }
            given => self.definitions.interner.share(given),
        };
        Ok(Field {
            number,
            name,
            json_name,
            kind,
            cardinality,
            packed: repeated && features.packed && kind.packable(),
            presence: !repeated && explicit,
            required: !repeated && features.presence == Presence::Required,
            oneof: oneof.and_then(|(_, index)| index).filter(|_| !repeated),
            verify_utf8: features.verify_utf8,
        })
    }

    /// The kind of a field, and whether its type is a map entry.
    fn kind(
        &mut self,
        scope: &str,
        proto: &FieldDescriptorProto,
        repeated: bool,
        features: Features,
    ) -> Result<(Kind, bool), Refusal> {
        // A hand-made descriptor may leave the type to what the name leads to.
        let declared = match proto.r#type {
            Some(number) => Some(Type::try_from(number).map_err(|_unknown| Refusal::Type(number))?),
            None if proto.type_name.is_some() => None,
            None => return Err(Refusal::Type(0)),
        };
        if let Some(kind) = declared.and_then(scalar) {
            return Ok((kind, false));
        }
        let tables = &self.definitions.declared.tables;
        let found = name::resolve(proto.type_name(), scope, |name| tables.find(name));
        match (found, declared) {
            (None, _) => Err(Refusal::MissingType),
            (Some(TypeId::Enum(id)), Some(Type::Enum) | None) => Ok((Kind::Enum(id), false)),
            (Some(TypeId::Enum(_)), Some(_)) => Err(Refusal::WrongType("an enum")),
            (Some(TypeId::Message(_)), Some(Type::Enum)) => Err(Refusal::WrongType("a message")),
            (Some(TypeId::Message(id)), _) => {
                let map = repeated && tables.message(id).map_entry;
                // Maps and what is in them are never delimited, whatever they inherit.
                let in_entry = tables
                    .find_message(scope)
                    .is_some_and(|scope| tables.message(scope).map_entry);
                if features.delimited && !map && !in_entry {
                    Ok((Kind::Group(id), false))
                } else {
                    Ok((Kind::Message(id), map))
                }
            }
        }
    }

    /// Reports a field that is left out.
    pub(super) fn refuse(&mut self, scope: &str, proto: &FieldDescriptorProto, refusal: Refusal) {
        let full = name::join(scope, proto.name());
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

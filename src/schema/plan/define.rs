//! The second pass: the fields of every message and the values of every enum of a file.
//!
//! What cannot be resolved is left out and reported: a message without one of its fields still
//! serves, as if the field were unknown.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::declare::Declared;
use super::field::{self, Context, Missing};
use super::finish::is_map_entry;
use super::lazy::Origin;
use super::{Cardinality, Field, MessageId, TypeId};
use crate::schema::features::Features;
use crate::schema::load::Loaded;
use crate::schema::name;
use crate::schema::place::step;
use crate::schema::problem::{Location, Problem};
use crate::schema::view;

/// What the second pass needs besides the file at hand.
#[derive(Debug, Default)]
pub(in crate::schema) struct Definitions {
    /// What the first pass found, filled in.
    pub(in crate::schema) declared: Declared,
    /// Extensions, not yet among the fields of what they extend.
    pub(super) extensions: Vec<Extension>,
    /// Number and file by the full name of the extended message, for reflection.
    pub(super) extension_files: FxHashMap<Arc<str>, Vec<(i32, u32)>>,
}

/// An extension and the message it belongs to.
#[derive(Debug)]
pub(super) struct Extension {
    pub(super) extendee: MessageId,
    pub(super) field: Field,
    pub(super) place: Location,
}

/// One file on its way through the second pass.
pub(super) struct Pass<'a> {
    pub(super) definitions: &'a mut Definitions,
    pub(super) file: &'a Loaded,
    pub(super) path: Vec<i32>,
    pub(super) missing: Missing,
    pub(super) problems: &'a mut Vec<Problem>,
}

/// The oneofs of one message as the tables have them.
pub(super) struct Oneofs<'a> {
    protos: &'a [view::Oneof<'a>],
    /// Index into the oneofs of the message by declared index; `None` for synthetic ones.
    real: Vec<Option<u16>>,
}

impl Definitions {
    /// Takes in the definitions of one file; `true` when all its types could be resolved.
    pub(in crate::schema) fn define(
        &mut self,
        file: &Loaded,
        proto: &view::File<'_>,
        problems: &mut Vec<Problem>,
    ) -> bool {
        let mut pass = Pass {
            definitions: self,
            file,
            path: Vec::new(),
            missing: Missing::default(),
            problems,
        };
        let scope = &*file.package;
        for (at, message) in (0..).zip(&proto.message_type) {
            pass.inside([step::FILE_MESSAGE, at], |pass| {
                pass.message(scope, message, file.features);
            });
        }
        for (at, enumeration) in (0..).zip(&proto.enum_type) {
            pass.inside([step::FILE_ENUM, at], |pass| {
                pass.enumeration(scope, enumeration, file.features);
            });
        }
        for (at, extension) in (0..).zip(&proto.extension) {
            pass.inside([step::FILE_EXTENSION, at], |pass| {
                pass.extension(scope, extension, file.features);
            });
        }
        let all = pass.missing.is_empty();
        let missing = std::mem::take(&mut pass.missing);
        missing.report(file, pass.problems);
        all
    }
}

// === impl Pass ===

impl Pass<'_> {
    pub(super) fn inside(&mut self, steps: [i32; 2], work: impl FnOnce(&mut Self)) {
        let depth = self.path.len();
        self.path.extend(steps);
        work(self);
        self.path.truncate(depth);
    }

    pub(super) fn place(&self) -> Location {
        self.file.places.at(&self.path)
    }

    pub(super) fn error(&mut self, message: String) {
        self.problems.push(Problem::error(self.place(), message));
    }

    /// The table entry that this declaration fills; `None` when another one of its name does.
    fn own_message(&mut self, full: &str) -> Option<MessageId> {
        let declared = &mut self.definitions.declared;
        let id = declared.find_message(full)?;
        let owner = declared.messages.get_mut(id.0 as usize)?;
        let mine = owner.file == self.file.index && !owner.defined;
        owner.defined |= mine;
        mine.then_some(id)
    }

    fn message(&mut self, scope: &str, proto: &view::Message<'_>, outer: Features) {
        // What is not a name was told; joined to its scope it may be the name of something else.
        if !name::is_identifier(proto.name) {
            return;
        }
        let full = name::join(scope, proto.name);
        let Some(id) = self.own_message(&full) else {
            return;
        };
        let options = proto.options.as_ref();
        let features = outer.with(options.and_then(|options| options.features.as_ref()));
        self.fields(id, &full, proto, features);
        let origin = self.origin(proto.bytes, features);
        let declared = &mut self.definitions.declared;
        if let Some(owner) = declared.messages.get_mut(id.0 as usize) {
            owner.origin = origin;
        }
        for (at, nested) in (0..).zip(&proto.nested_type) {
            self.inside([step::MESSAGE_NESTED, at], |pass| {
                pass.message(&full, nested, features);
            });
        }
        for (at, nested) in (0..).zip(&proto.enum_type) {
            self.inside([step::MESSAGE_ENUM, at], |pass| {
                pass.enumeration(&full, nested, features);
            });
        }
        for (at, extension) in (0..).zip(&proto.extension) {
            self.inside([step::MESSAGE_EXTENSION, at], |pass| {
                pass.extension(&full, extension, features);
            });
        }
    }

    /// Where a descriptor stands that was read from the file at hand.
    fn origin(&self, bytes: &[u8], features: Features) -> Option<Origin> {
        let start = bytes.as_ptr().addr() - self.file.bytes.as_ptr().addr();
        Some(Origin {
            file: self.file.index,
            start: u32::try_from(start).ok()?,
            end: u32::try_from(start + bytes.len()).ok()?,
            features,
        })
    }

    /// Finds what is wrong with the fields of a message.
    fn fields(&mut self, id: MessageId, full: &str, proto: &view::Message<'_>, features: Features) {
        let mut refused = Vec::new();
        let oneofs = Oneofs::new(proto);
        let context = Context {
            resolver: &self.definitions.declared.resolver,
            scope: full,
            oneofs: &oneofs,
            outer: features,
        };
        let fields = field::fields(&context, proto, |at, _, refusal| {
            refused.push((at, refusal));
        });
        for (at, refusal) in refused {
            let field = usize::try_from(at).ok().and_then(|at| proto.field.get(at));
            if let Some(field) = field {
                self.inside([step::MESSAGE_FIELD, at], |pass| {
                    pass.refuse(full, field, refusal);
                });
            }
        }
        let resolver = &mut self.definitions.declared.resolver;
        if resolver.entries.get(id.0 as usize) == Some(&true) && !is_map_entry(&fields) {
            resolver.broken_entries.insert(id);
        }
        let names = fields.iter().map(|field| field.name);
        let other = fields.iter().filter(|field| field.json_name != field.name);
        if field::may_repeat(names.chain(other.map(|field| &*field.json_name))) {
            let fields: Vec<Field> = fields.into_iter().map(Field::from).collect();
            index_names(&fields, |name, winner, loser| {
                let clash = json_clash(self.place(), full, name, winner, loser);
                self.problems.push(clash);
            });
        }
    }

    fn extension(&mut self, scope: &str, proto: &view::Field<'_>, features: Features) {
        let find = |name: &str| self.definitions.declared.find_message(name);
        let extendee = proto.extendee;
        let Some(id) = name::resolve(extendee, scope, find) else {
            let extendee = extendee.trim_start_matches('.');
            if !is_options(extendee) {
                self.problems.push(Problem::warning(
                    self.place(),
                    format!(
                        "extension `{}` extends `{}`, which no loaded file declares",
                        name::show(&name::join(scope, proto.name)),
                        name::show(extendee),
                    ),
                ));
            }
            self.note_extension(&extendee.to_owned().into(), proto.number);
            return;
        };
        let full = Arc::clone(&self.definitions.declared.tables.message(id).full_name);
        self.note_extension(&full, proto.number);
        let context = Context {
            resolver: &self.definitions.declared.resolver,
            scope,
            oneofs: &Oneofs::none(),
            outer: features,
        };
        match field::resolve(&context, proto).map(Field::from) {
            Ok(mut field) => {
                field.name = format!("[{}]", name::join(scope, &field.name)).into();
                field.json_name = Arc::clone(&field.name);
                // The language has no maps as extensions.
                if field.cardinality == Cardinality::Map {
                    field.cardinality = Cardinality::Repeated;
                }
                field.presence = field.cardinality == Cardinality::Singular;
                let place = self.place();
                self.definitions.extensions.push(Extension {
                    extendee: id,
                    field,
                    place,
                });
            }
            Err(refusal) => self.refuse(scope, proto, refusal),
        }
    }

    fn note_extension(&mut self, extendee: &Arc<str>, number: i32) {
        if number <= 0 {
            return;
        }
        let files = &mut self.definitions.extension_files;
        let numbers = files.entry(Arc::clone(extendee)).or_default();
        numbers.push((number, self.file.index));
    }

    fn enumeration(&mut self, scope: &str, proto: &view::Enum<'_>, outer: Features) {
        if !name::is_identifier(proto.name) {
            return;
        }
        let full = name::join(scope, proto.name);
        let declared = &mut self.definitions.declared;
        let Some(TypeId::Enum(id)) = declared.resolver.find(&full) else {
            return;
        };
        match declared.enums.get_mut(id.0 as usize) {
            Some(owner) if owner.file == self.file.index && !owner.defined => owner.defined = true,
            Some(_) | None => return,
        }
        let options = proto.options.as_ref();
        let features = outer.with(options.and_then(|options| options.features.as_ref()));
        if let Some(table) = declared.tables.enums.get_mut(id.0 as usize) {
            table.closed = features.closed_enums;
        }
        let origin = self.origin(proto.bytes, features);
        if let Some(owner) = self.definitions.declared.enums.get_mut(id.0 as usize) {
            owner.origin = origin;
        }
        if proto.value.is_empty() {
            self.error(format!("enum `{full}` has no values"));
        }
        if !field::may_repeat(proto.value.iter().map(|(name, _)| *name)) {
            return;
        }
        let mut names = FxHashSet::default();
        for (at, (name, _)) in (0..).zip(&proto.value) {
            if !names.insert(*name) {
                self.inside([step::ENUM_VALUE, at], |pass| {
                    let name = name::show(name);
                    pass.error(format!("enum `{full}` has two values called `{name}`"));
                });
            }
        }
    }
}

/// Whether a message is one of those that custom options extend. Nobody here reads a custom option
/// through the tables, so what is wrong with one is nobody's problem.
pub(super) fn is_options(full_name: &str) -> bool {
    full_name.starts_with("google.protobuf.") && full_name.ends_with("Options")
}

fn json_clash(place: Location, full: &str, name: &str, winner: &Field, loser: &Field) -> Problem {
    let (winner, loser) = (&winner.name, &loser.name);
    Problem::warning(
        place,
        format!(
            "in JSON `{}` names both `{winner}` and `{loser}` of `{full}`",
            name::show(name)
        ),
    )
    .with_note(None, format!("it is read as `{winner}`"))
    .with_help("give one of the fields a json_name of its own")
}

/// Index into `fields` by each of their names. `clash` is told of every name that two fields
/// have, the one that gets it first; a JSON name comes before a proto name, as in protobuf's own
/// parsers.
pub(super) fn index_names(
    fields: &[Field],
    mut clash: impl FnMut(&str, &Field, &Field),
) -> FxHashMap<Arc<str>, u16> {
    let mut names: FxHashMap<Arc<str>, u16> = FxHashMap::default();
    names.reserve(fields.len());
    // The numbers come second: the last field may have the highest of them.
    let by_json = fields.iter().map(|field| &field.json_name).zip(0..);
    let by_proto = fields.iter().map(|field| &field.name).zip(0..);
    for (name, at) in by_json.chain(by_proto) {
        let first = *names.entry(Arc::clone(name)).or_insert(at);
        if first == at {
            continue;
        }
        let pair = (fields.get(usize::from(first)), fields.get(usize::from(at)));
        if let (Some(winner), Some(loser)) = pair {
            clash(name, winner, loser);
        }
    }
    names
}

// === impl Oneofs ===

impl<'a> Oneofs<'a> {
    /// A oneof whose only member is a proto3 `optional` field is that field's presence and
    /// nothing that anybody declared.
    pub(super) fn new(proto: &'a view::Message<'a>) -> Self {
        let mut members = vec![(0_usize, false); proto.oneof_decl.len()];
        for field in &proto.field {
            let index = field
                .oneof_index
                .and_then(|index| usize::try_from(index).ok());
            if let Some(member) = index.and_then(|index| members.get_mut(index)) {
                member.0 += 1;
                member.1 |= field.proto3_optional;
            }
        }
        let mut next = 0_u16;
        let real = members
            .iter()
            .map(|member| {
                if *member == (1, true) || next == u16::MAX {
                    return None;
                }
                next += 1;
                Some(next - 1)
            })
            .collect();
        Self {
            protos: &proto.oneof_decl,
            real,
        }
    }

    fn none() -> Self {
        Self {
            protos: &[],
            real: Vec::new(),
        }
    }

    /// The oneof of a field: its declaration, and its index unless it is synthetic.
    pub(super) fn of(&self, field: &view::Field<'_>) -> Option<(&'a view::Oneof<'a>, Option<u16>)> {
        let index = usize::try_from(field.oneof_index?).ok()?;
        Some((self.protos.get(index)?, *self.real.get(index)?))
    }

    pub(super) fn names(&self) -> Box<[Box<str>]> {
        self.protos
            .iter()
            .zip(&self.real)
            .filter(|(_, real)| real.is_some())
            .map(|(proto, _)| proto.name.into())
            .collect()
    }
}

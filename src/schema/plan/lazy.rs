//! Tables that are made when they are first asked for, from the descriptor they stand for.
//!
//! A process serves a few of the types that its descriptors declare. Compiling a schema looks at
//! all of them, to find what is wrong, and keeps of each its name and its place in the file. What
//! was found wrong then is left out here without a word.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use rustc_hash::{FxHashMap, FxHashSet};

use super::define::{Oneofs, index_names};
use super::field::{self, Context};
use super::{Cardinality, Enum, EnumValues, Field, Message, MessageId, Shape, TypeId};
use crate::schema::features::Features;
use crate::schema::view;

/// What turns descriptors into tables: all names of a schema, and where they lead.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    /// By full name, without a leading dot.
    pub(super) names: FxHashMap<Arc<str>, TypeId>,
    /// Whether a message says of itself that it is a map entry.
    pub(super) entries: Vec<bool>,
    /// Those that say so and are none.
    pub(super) broken_entries: FxHashSet<MessageId>,
    /// The extensions of a message.
    pub(super) extensions: FxHashMap<MessageId, Vec<Field>>,
    /// Encoded, in order.
    pub(super) files: Vec<Bytes>,
}

/// Where the descriptor of a type is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) file: u32,
    pub(super) start: u32,
    pub(super) end: u32,
    /// What its members inherit.
    pub(super) features: Features,
}

/// A table that is made when it is first asked for.
#[derive(Debug)]
pub(crate) struct Lazy<T> {
    made: OnceLock<Box<T>>,
    origin: Option<(Arc<Resolver>, Origin)>,
}

// === impl Resolver ===

impl Resolver {
    pub(super) fn of_names(names: impl Iterator<Item = (Arc<str>, TypeId)>) -> Self {
        Self {
            names: names.collect(),
            ..Self::default()
        }
    }

    /// A type by its full name without a leading dot.
    pub(in crate::schema) fn find(&self, full_name: &str) -> Option<TypeId> {
        self.names.get(full_name).copied()
    }

    fn bytes(&self, origin: &Origin) -> &[u8] {
        let file = self.files.get(origin.file as usize);
        let range = origin.start as usize..origin.end as usize;
        file.and_then(|file| file.get(range)).unwrap_or_default()
    }

    /// The fields of a message that it declares itself, and the names of its oneofs.
    pub(super) fn own_fields(
        &self,
        full_name: &str,
        origin: &Origin,
    ) -> (Vec<Field>, Box<[Box<str>]>) {
        let proto = view::Message::read(self.bytes(origin)).unwrap_or_default();
        let oneofs = Oneofs::new(&proto);
        let context = Context {
            resolver: self,
            scope: full_name,
            oneofs: &oneofs,
            outer: origin.features,
        };
        let fields = field::fields(&context, &proto, |_, _, _| {});
        let fields = fields.into_iter().map(Field::from).collect();
        (fields, oneofs.names())
    }

    /// Whether the type of a map field is no usable entry.
    pub(super) fn is_broken(&self, field: &Field) -> bool {
        let is_broken = |id| self.broken_entries.contains(&id);
        field.cardinality == Cardinality::Map && field.kind.message().is_some_and(is_broken)
    }

    fn shape(&self, message: &Message, origin: &Origin) -> Shape {
        let (mut fields, oneofs) = self.own_fields(&message.full_name, origin);
        if !self.broken_entries.is_empty() {
            fields.retain(|field| !self.is_broken(field));
        }
        let id = self.find(&message.full_name);
        if let Some(TypeId::Message(id)) = id
            && let Some(extensions) = self.extensions.get(&id)
        {
            fields.extend(extensions.iter().cloned());
            fields.sort_unstable_by_key(|field| field.number);
        }
        Shape {
            names: index_names(&fields, |_, _, _| {}),
            fields: fields.into(),
            oneofs,
            ..Shape::default()
        }
    }

    fn values(&self, origin: &Origin) -> EnumValues {
        let proto = view::Enum::read(self.bytes(origin)).unwrap_or_default();
        EnumValues::new(proto.value.iter().map(|(name, number)| (*name, *number)))
    }
}

// === impl Lazy ===

impl<T> Lazy<T> {
    /// A table of nothing, until it gets its origin.
    pub(super) fn empty() -> Self {
        Self {
            made: OnceLock::new(),
            origin: None,
        }
    }

    /// A table that is there already.
    pub(crate) fn ready(table: T) -> Self {
        Self {
            made: OnceLock::from(Box::new(table)),
            origin: None,
        }
    }

    pub(super) fn set_origin(&mut self, resolver: &Arc<Resolver>, origin: Origin) {
        self.origin = Some((Arc::clone(resolver), origin));
    }
}

impl Deref for Message {
    type Target = Shape;

    #[inline]
    fn deref(&self) -> &Shape {
        let make = || match &self.shape.origin {
            Some((resolver, origin)) => Box::new(resolver.shape(self, origin)),
            None => Box::default(),
        };
        self.shape.made.get_or_init(make)
    }
}

impl Deref for Enum {
    type Target = EnumValues;

    #[inline]
    fn deref(&self) -> &EnumValues {
        let make = || match &self.listed.origin {
            Some((resolver, origin)) => Box::new(resolver.values(origin)),
            None => Box::default(),
        };
        self.listed.made.get_or_init(make)
    }
}

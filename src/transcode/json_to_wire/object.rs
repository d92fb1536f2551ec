//! The members of a JSON object, one message: which were given, which must be, which may not.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use smallvec::{SmallVec, smallvec};

use super::context::{At, Context};
use super::value::{Element, FieldValue, Frame, Outcome};
use crate::schema::plan::{Cardinality, Field, Message};
use crate::schema::policy::UnknownFields;
use crate::transcode::bind::{Node, Slot};
use crate::transcode::names;
use crate::transcode::proto::{WireType, put_tag, put_varint};

/// Where the value of a member is read from.
pub(super) trait Source<'j> {
    type Error: serde::de::Error;

    /// Reads the value with a seed.
    fn read<S: DeserializeSeed<'j>>(self, seed: S) -> Result<S::Value, Self::Error>;
}

/// The next value of an object.
pub(super) struct Next<'a, A>(pub(super) &'a mut A);

impl<'j, A: MapAccess<'j>> Source<'j> for Next<'_, A> {
    type Error = A::Error;

    fn read<S: DeserializeSeed<'j>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

/// A text that is nothing but the value.
pub(super) struct Whole<'j>(pub(super) &'j str);

impl<'j> Source<'j> for Whole<'j> {
    type Error = serde_json::Error;

    fn read<S: DeserializeSeed<'j>>(self, seed: S) -> Result<S::Value, Self::Error> {
        let mut parser = serde_json::Deserializer::from_str(self.0);
        let value = seed.deserialize(&mut parser)?;
        parser.end()?;
        Ok(value)
    }
}

/// Reads a value for its form alone.
pub(super) fn skip<'j, S: Source<'j>>(source: S) -> Result<(), S::Error> {
    source.read(PhantomData::<IgnoredAny>).map(|_ignored| ())
}

/// A set of small numbers.
struct Bits(SmallVec<[u64; 2]>);

impl Bits {
    /// For numbers below `len`.
    fn new(len: usize) -> Self {
        Self(smallvec![0; len.div_ceil(64)])
    }

    fn contains(&self, at: usize) -> bool {
        self.0
            .get(at / 64)
            .is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Says whether it is new.
    fn insert(&mut self, at: usize) -> bool {
        let new = !self.contains(at);
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
        new
    }
}

/// What was seen of one message so far.
pub(super) struct Object<'c, 't> {
    message: &'t Message,
    bound: Option<&'c Node>,
    at: &'c At<'c>,
    /// Indices of fields whose key was given.
    given: Bits,
    /// Indices of fields that are set.
    set: Bits,
    /// Indices of oneofs of which a member is set.
    oneofs: Bits,
}

impl<'c, 't> Object<'c, 't> {
    pub(super) fn new(message: &'t Message, bound: Option<&'c Node>, at: &'c At<'c>) -> Self {
        Self {
            message,
            bound,
            at,
            given: Bits::new(message.fields.len()),
            set: Bits::new(message.fields.len()),
            oneofs: Bits::new(message.oneofs.len()),
        }
    }

    /// Where the object stands.
    pub(super) fn at(&self) -> &'c At<'c> {
        self.at
    }

    /// Reads the member named `key`.
    pub(super) fn member<'j, S: Source<'j>>(
        &mut self,
        context: &mut Context<'t, 'j>,
        key: &str,
        source: S,
    ) -> Result<(), S::Error> {
        let index = self.message.names.get(key).copied().map(usize::from);
        let Some((index, field)) =
            index.and_then(|index| Some((index, self.message.fields.get(index)?)))
        else {
            return self.unknown(context, key, source);
        };
        self.value(context, index, field, source)
    }

    /// Reads the value of the field at `index`.
    pub(super) fn value<'j, S: Source<'j>>(
        &mut self,
        context: &mut Context<'t, 'j>,
        index: usize,
        field: &'t Field,
        source: S,
    ) -> Result<(), S::Error> {
        let at = self.at.field(&field.json_name);
        if !self.given.insert(index) {
            context.complain(&at, "is given twice");
            context.check()?;
            return skip(source);
        }
        let bound = match self.bound.and_then(|node| node.fields.get(&field.number)) {
            Some(Slot::Path(expected)) => {
                return self.compare(context, field, (expected, "the path"), source);
            }
            Some(Slot::Header(expected)) => {
                return self.compare(context, field, (expected, "a header"), source);
            }
            Some(Slot::Message { node, .. }) => Some(node),
            Some(Slot::Query(_) | Slot::List { .. } | Slot::Map(_)) | None => None,
        };
        let outcome = if self.message.message_set {
            set_item(context, field, &at, source)?
        } else {
            source.read(FieldValue {
                context,
                field,
                at: &at,
                bound,
            })?
        };
        if outcome == Outcome::Set {
            self.set.insert(index);
            self.note_set(context, field, &at);
        }
        Ok(())
    }

    /// A field that the path or a header binds may repeat the same value (B3), and only that.
    fn compare<'j, S: Source<'j>>(
        &self,
        context: &mut Context<'t, 'j>,
        field: &'t Field,
        (expected, by): (&[u8], &str),
        source: S,
    ) -> Result<(), S::Error> {
        let at = self.at.field(&field.json_name);
        let start = context.out.len();
        let outcome = source.read(Element {
            context,
            kind: field.kind,
            frame: Frame::Record(field.number),
            at: &at,
            bound: None,
        })?;
        let same = context
            .out
            .get(start..)
            .is_some_and(|found| found == expected);
        context.out.truncate(start);
        if outcome == Outcome::Set && !same {
            let text = format!("has another value in the body than in {by}");
            context.complain(&at, text);
        }
        context.check()
    }

    fn unknown<'j, S: Source<'j>>(
        &self,
        context: &mut Context<'t, 'j>,
        key: &str,
        source: S,
    ) -> Result<(), S::Error> {
        if context.options.unknown_fields == UnknownFields::Reject {
            let key = names::clip(key);
            let what = format!("is no field of {}", self.message.full_name);
            let nearest = names::nearest_field(&key, self.message);
            context.complain(&self.at.field(&key), names::unknown(&what, nearest));
            context.check()?;
        }
        skip(source)
    }

    /// Checks a field that was set against the other members of its oneof.
    fn note_set(&mut self, context: &mut Context<'t, '_>, field: &Field, at: &At<'_>) {
        let Some(oneof) = field.oneof.map(usize::from) else {
            return;
        };
        let elsewhere = self.bound.is_some_and(|node| {
            node.fields.keys().any(|number| {
                *number != field.number
                    && self
                        .message
                        .by_number(*number)
                        .is_some_and(|other| other.oneof == field.oneof)
            })
        });
        let name = self.message.oneofs.get(oneof).map_or("", |name| name);
        if elsewhere {
            let text = format!("another field of the oneof `{name}` is set by the URL");
            context.complain(at, text);
        } else if !self.oneofs.insert(oneof) {
            context.complain(
                at,
                format!("another field of the oneof `{name}` is set too"),
            );
        }
    }

    /// Complains about required fields that are set nowhere.
    pub(super) fn finish(&self, context: &mut Context<'t, '_>) {
        if context.has_required(self.message) {
            for (index, field) in self.message.fields.iter().enumerate() {
                let bound = self
                    .bound
                    .is_some_and(|node| node.fields.contains_key(&field.number));
                if field.required && !bound && !self.set.contains(index) {
                    context.complain(&self.at.field(&field.json_name), "is required");
                }
            }
        }
        // Messages of which only the URL sets something were not seen by anybody else.
        for (number, slot) in self.bound.iter().flat_map(|node| &node.fields) {
            let index = self
                .message
                .fields
                .binary_search_by_key(number, |field| field.number);
            if let Ok(index) = index
                && !self.set.contains(index)
                && let Some(field) = self.message.fields.get(index)
            {
                self.finish_bound(context, field, slot);
            }
        }
    }

    fn finish_bound(&self, context: &mut Context<'t, '_>, field: &'t Field, slot: &Slot) {
        let Some(message) = field.kind.message() else {
            return;
        };
        let message = context.tables.message(message);
        if field.cardinality == Cardinality::Map || message.well_known.is_some() {
            return;
        }
        let at = self.at.field(&field.json_name);
        match slot {
            Slot::Message { node, .. } => Object::new(message, Some(node), &at).finish(context),
            Slot::List { elements, .. } => {
                for (index, node) in (0..).zip(elements.values()) {
                    Object::new(message, Some(node), &at.index(index)).finish(context);
                }
            }
            Slot::Path(_) | Slot::Header(_) | Slot::Query(_) | Slot::Map(_) => {}
        }
    }
}

/// Appends an item of proto2's `MessageSet`: a group of the extension's number and its message.
fn set_item<'t, 'j, S: Source<'j>>(
    context: &mut Context<'t, 'j>,
    field: &'t Field,
    at: &At<'_>,
    source: S,
) -> Result<Outcome, S::Error> {
    let start = context.out.len();
    put_tag(context.out, 1, WireType::StartGroup);
    put_tag(context.out, 2, WireType::Varint);
    put_varint(context.out, u64::from(field.number));
    let outcome = source.read(Element {
        context,
        kind: field.kind,
        frame: Frame::Record(3),
        at,
        bound: None,
    })?;
    if outcome == Outcome::Set {
        put_tag(context.out, 1, WireType::EndGroup);
    } else {
        context.out.truncate(start);
    }
    Ok(outcome)
}

//! Values that are objects or lists in JSON, or may be.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::any;
use super::context::{At, Context};
use super::map::{drain, next_key, read_map};
use super::object::{Next, Object};
use super::value::{Element, Frame, Outcome};
use crate::schema::plan::{Field, Kind, Message};
use crate::transcode::bind::Node;
use crate::transcode::proto::{Delimited, WireType, put_bytes, put_tag};

/// What the value is to become.
#[derive(Clone, Copy)]
pub(super) enum Task<'t> {
    /// The content of a message.
    Object(&'t Message),
    /// The records of a map field.
    Map(&'t Field),
    /// The records of a repeated field.
    List(&'t Field),
    /// The content of a `google.protobuf.Any`.
    Any,
    /// The content of a `google.protobuf.Value`.
    Value(&'t Message),
}

/// Visits such a value.
pub(super) struct Compound<'c, 't, 'j> {
    pub(super) context: &'c mut Context<'t, 'j>,
    pub(super) task: Task<'t>,
    pub(super) at: &'c At<'c>,
    pub(super) bound: Option<&'c Node>,
}

impl<'t, 'j> Compound<'_, 't, 'j> {
    fn mismatch<E: serde::de::Error>(self, found: &str) -> Result<Outcome, E> {
        let expected = match self.task {
            Task::List(_) => "a list",
            Task::Object(_) | Task::Map(_) | Task::Any | Task::Value(_) => "an object",
        };
        self.context
            .complain(self.at, format!("expected {expected}, found {found}"));
        self.context.check()?;
        Ok(Outcome::Wrong)
    }

    /// Appends a token as the member `number` of a `Value`, or complains when none is due.
    fn token<E: serde::de::Error>(
        self,
        number: u32,
        found: &str,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Outcome, E> {
        let Task::Value(_) = self.task else {
            return self.mismatch(found);
        };
        let wire_type = match number {
            2 => WireType::Fixed64,
            3 => WireType::Len,
            _ => WireType::Varint,
        };
        put_tag(self.context.out, number, wire_type);
        put(self.context.out);
        self.context.check()?;
        Ok(Outcome::Set)
    }

    fn number<E: serde::de::Error>(self, value: f64) -> Result<Outcome, E> {
        self.token(2, "a number", |out| {
            out.extend_from_slice(&value.to_le_bytes());
        })
    }

    /// The tables have a `google.protobuf.Value` that is not Google's.
    fn unusable<E: serde::de::Error>(self) -> Result<Outcome, E> {
        self.context.complain(
            self.at,
            "the schema's google.protobuf.Value is not the usual one",
        );
        Err(self.context.abort())
    }

    /// Begins the `Struct` or `ListValue` of a `Value`: the field its records belong to.
    fn nested(&mut self, value: &'t Message, number: u32) -> Option<(&'t Field, Delimited)> {
        let Kind::Message(id) = value.by_number(number)?.kind else {
            return None;
        };
        let field = self.context.tables.message(id).fields.first()?;
        put_tag(self.context.out, number, WireType::Len);
        Some((field, self.context.open()))
    }

    fn list<A: SeqAccess<'j>>(
        &mut self,
        field: &'t Field,
        mut list: A,
    ) -> Result<Outcome, A::Error> {
        let start = self.context.out.len();
        let packed = (field.packed && field.kind.packable()).then(|| {
            put_tag(self.context.out, field.number, WireType::Len);
            self.context.open()
        });
        let frame = match packed {
            Some(_) => Frame::Bare,
            None => Frame::Record(field.number),
        };
        let first = self.context.out.len();
        for index in 0.. {
            let at = self.at.index(index);
            let element = list.next_element_seed(Element {
                context: self.context,
                kind: field.kind,
                frame,
                at: &at,
                bound: None,
            });
            match element.map_err(|error| self.context.failed(&at, error))? {
                None => break,
                Some(Outcome::Null) => {
                    self.context.complain(&at, "null is not allowed in a list");
                    self.context.check()?;
                }
                Some(_) => {}
            }
        }
        match packed {
            Some(_) if self.context.out.len() == first => self.context.out.truncate(start),
            Some(delimited) => self.context.close(delimited),
            None => {}
        }
        Ok(Outcome::Set)
    }

    fn object<A: MapAccess<'j>>(
        &mut self,
        message: &'t Message,
        mut map: A,
    ) -> Result<Outcome, A::Error> {
        let mut object = Object::new(message, self.bound, self.at);
        while let Some(key) = next_key(self.context, self.at, &mut map)? {
            object
                .member(self.context, &key, Next(&mut map))
                .map_err(|error| self.context.failed(&self.at.field(&key), error))?;
        }
        object.finish(self.context);
        Ok(Outcome::Set)
    }
}

impl<'j> Visitor<'j> for Compound<'_, '_, 'j> {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Outcome, E> {
        match self.task {
            Task::Value(_) => self.token(1, "null", |out| out.push(0)),
            Task::Object(_) | Task::Map(_) | Task::List(_) | Task::Any => Ok(Outcome::Null),
        }
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Outcome, E> {
        self.token(4, "a boolean", |out| out.push(u8::from(value)))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Outcome, E> {
        self.number(value as f64)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Outcome, E> {
        self.number(value as f64)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Outcome, E> {
        self.number(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Outcome, E> {
        self.token(3, "a string", |out| put_bytes(out, value.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'j>>(mut self, mut list: A) -> Result<Outcome, A::Error> {
        self.context.enter(self.at)?;
        let outcome = match self.task {
            Task::List(field) => self.list(field, list),
            Task::Value(value) => match self.nested(value, 6) {
                Some((field, delimited)) => self.list(field, list).inspect(|_outcome| {
                    self.context.close(delimited);
                }),
                None => return self.unusable(),
            },
            Task::Object(_) | Task::Map(_) | Task::Any => {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                self.context.leave();
                return self.mismatch("a list");
            }
        };
        self.context.leave();
        outcome
    }

    fn visit_map<A: MapAccess<'j>>(mut self, map: A) -> Result<Outcome, A::Error> {
        self.context.enter(self.at)?;
        let outcome = match self.task {
            Task::Object(message) => self.object(message, map),
            Task::Map(field) => read_map(self.context, field, self.at, map),
            Task::Any => any::read(self.context, self.at, map),
            Task::Value(value) => match self.nested(value, 5) {
                Some((field, delimited)) => read_map(self.context, field, self.at, map)
                    .inspect(|_outcome| self.context.close(delimited)),
                None => return self.unusable(),
            },
            Task::List(_) => {
                drain(map)?;
                self.context.leave();
                return self.mismatch("an object");
            }
        };
        self.context.leave();
        outcome
    }
}

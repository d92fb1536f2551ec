//! One value: which reader it needs, and the record around it.

use serde::de::{Deserialize, DeserializeSeed, Deserializer};
use serde_json::value::RawValue;

use super::compound::{Compound, Task};
use super::context::{At, Context};
use super::scalar;
use crate::schema::plan::{Cardinality, Field, Kind, MessageId, WellKnown};
use crate::transcode::bind::Node;
use crate::transcode::proto::{WireType, put_tag};

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was written.
    Set,
    /// It was written and is its type's default; seeds of fields report it as `Set`.
    Default,
    /// It was null, which leaves a field unset.
    Null,
    /// An unknown enum name that the options let pass: as if it were not there.
    Skipped,
    /// It is wrong; the complaint is noted.
    Wrong,
}

/// Reads the value of a field, whatever its cardinality, and appends its records.
pub(super) struct FieldValue<'c, 't, 'j> {
    pub(super) context: &'c mut Context<'t, 'j>,
    pub(super) field: &'t Field,
    pub(super) at: &'c At<'c>,
    pub(super) bound: Option<&'c Node>,
}

impl<'j> DeserializeSeed<'j> for FieldValue<'_, '_, 'j> {
    type Value = Outcome;

    fn deserialize<D: Deserializer<'j>>(self, deserializer: D) -> Result<Outcome, D::Error> {
        let Self {
            context,
            field,
            at,
            bound,
        } = self;
        let task = match field.cardinality {
            Cardinality::Singular => {
                return Element {
                    context,
                    kind: field.kind,
                    frame: if field.presence || field.oneof.is_some() {
                        Frame::Record(field.number)
                    } else {
                        Frame::RecordUnlessDefault(field.number)
                    },
                    at,
                    bound,
                }
                .deserialize(deserializer);
            }
            Cardinality::Repeated => Task::List(field),
            Cardinality::Map => Task::Map(field),
        };
        deserializer.deserialize_any(Compound {
            context,
            task,
            at,
            bound,
        })
    }
}

/// What stands around a value on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Its tag.
    Record(u32),
    /// Its tag; but a default is not written.
    RecordUnlessDefault(u32),
    /// Nothing: an element of a packed list.
    Bare,
}

/// Reads one singular value, list element or map value.
pub(super) struct Element<'c, 't, 'j> {
    pub(super) context: &'c mut Context<'t, 'j>,
    pub(super) kind: Kind,
    pub(super) frame: Frame,
    pub(super) at: &'c At<'c>,
    pub(super) bound: Option<&'c Node>,
}

impl<'j> DeserializeSeed<'j> for Element<'_, '_, 'j> {
    type Value = Outcome;

    fn deserialize<D: Deserializer<'j>>(self, deserializer: D) -> Result<Outcome, D::Error> {
        let Self {
            context,
            kind,
            frame,
            at,
            bound,
        } = self;
        let start = context.out.len();
        if let Frame::Record(number) | Frame::RecordUnlessDefault(number) = frame {
            put_tag(context.out, number, scalar::wire_type(kind));
        }
        let outcome = if let Some(message) = kind.message() {
            let delimited = matches!(kind, Kind::Message(_)).then(|| context.open());
            let content = Content {
                context,
                message,
                at,
                bound,
            };
            let outcome = content.deserialize(deserializer)?;
            match (delimited, frame) {
                (Some(delimited), _) => context.close(delimited),
                (None, Frame::Record(number) | Frame::RecordUnlessDefault(number)) => {
                    put_tag(context.out, number, WireType::EndGroup);
                }
                (None, Frame::Bare) => {}
            }
            outcome
        } else {
            let raw = <&RawValue>::deserialize(deserializer)
                .map_err(|error| context.failed(at, error))?;
            scalar::read(context, kind, raw.get(), at)
        };
        let outcome = match (outcome, frame) {
            (Outcome::Default, Frame::RecordUnlessDefault(_)) => {
                context.out.truncate(start);
                Outcome::Set
            }
            (Outcome::Set | Outcome::Default, _) => Outcome::Set,
            (Outcome::Null | Outcome::Skipped | Outcome::Wrong, _) => {
                context.out.truncate(start);
                outcome
            }
        };
        context.check()?;
        Ok(outcome)
    }
}

/// Reads a message and appends its content, without tag or length.
pub(super) struct Content<'c, 't, 'j> {
    pub(super) context: &'c mut Context<'t, 'j>,
    pub(super) message: MessageId,
    pub(super) at: &'c At<'c>,
    pub(super) bound: Option<&'c Node>,
}

impl<'j> DeserializeSeed<'j> for Content<'_, '_, 'j> {
    type Value = Outcome;

    fn deserialize<D: Deserializer<'j>>(self, deserializer: D) -> Result<Outcome, D::Error> {
        let Self {
            context,
            message,
            at,
            bound,
        } = self;
        let message = context.tables.message(message);
        let only_field = message.fields.first();
        let task = match (message.well_known, only_field) {
            (None | Some(WellKnown::Empty), _) => Task::Object(message),
            (Some(WellKnown::Any), _) => Task::Any,
            (Some(WellKnown::Value), _) => Task::Value(message),
            (Some(WellKnown::Struct), Some(field)) if field.cardinality == Cardinality::Map => {
                Task::Map(field)
            }
            (Some(WellKnown::ListValue), Some(field))
                if field.cardinality == Cardinality::Repeated =>
            {
                Task::List(field)
            }
            (Some(WellKnown::Struct | WellKnown::ListValue), _) => Task::Object(message),
            (
                Some(
                    well_known @ (WellKnown::Timestamp
                    | WellKnown::Duration
                    | WellKnown::FieldMask
                    | WellKnown::Wrapper),
                ),
                _,
            ) => {
                let raw = <&RawValue>::deserialize(deserializer)
                    .map_err(|error| context.failed(at, error))?;
                return Ok(scalar::well_known(
                    context,
                    well_known,
                    only_field,
                    raw.get(),
                    at,
                ));
            }
        };
        deserializer.deserialize_any(Compound {
            context,
            task,
            at,
            bound,
        })
    }
}

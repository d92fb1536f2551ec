//! `google.protobuf.Any`: the type decides how the other members are read, and may come last.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::context::{At, Context};
use super::map::{drain, next_key};
use super::object::{Next, Object, Source, skip};
use super::value::{Content, Outcome};
use crate::schema::plan::{MessageId, Tables, WellKnown};
use crate::schema::policy::UnknownFields;
use crate::transcode::known;
use crate::transcode::names;
use crate::transcode::proto::{WireType, put_len_field, put_tag};

/// A member that stood before `@type`.
type Early<'j> = (Cow<'j, str>, &'j RawValue);

/// Reads the members of an `Any` and appends its content.
pub(super) fn read<'j, A: MapAccess<'j>>(
    context: &mut Context<'_, 'j>,
    at: &At<'_>,
    mut map: A,
) -> Result<Outcome, A::Error> {
    let mut early: Vec<Early<'j>> = Vec::new();
    let mut url = None;
    while let Some(key) = next_key(context, at, &mut map)? {
        if key == "@type" {
            url = Some(map.next_value::<&RawValue>()?);
            break;
        }
        let value: &RawValue = map
            .next_value()
            .map_err(|error| context.failed(&at.field(&key), error))?;
        context.will_rescan(at, value.get().len())?;
        early.push((key, value));
    }
    let Some(url) = url else {
        if early.is_empty() {
            // An Any without anything is the empty message.
            return Ok(Outcome::Set);
        }
        context.complain(at, "`@type` is missing");
        return Ok(Outcome::Wrong);
    };
    context.saw(url.get());
    let Ok(url) = serde_json::from_str::<String>(url.get()) else {
        context.complain(&at.field("@type"), "expected the URL of a type");
        return drain(map);
    };
    let Some((tables, message)) = resolve(context.schema, &url) else {
        context.complain(&at.field("@type"), unknown_type(&url));
        return drain(map);
    };
    put_len_field(context.out, 1, url.as_bytes());
    let start = context.out.len();
    put_tag(context.out, 2, WireType::Len);
    let delimited = context.open();
    let content = context.out.len();
    let outer = std::mem::replace(&mut context.tables, tables);
    Members::new(context, message, at).read(context, early, map)?;
    context.tables = outer;
    if context.out.len() == content {
        context.out.truncate(start);
    } else {
        context.close(delimited);
    }
    Ok(Outcome::Set)
}

fn resolve<'t>(schema: &'t Tables, url: &str) -> Option<(&'t Tables, MessageId)> {
    let (_, name) = url.rsplit_once('/')?;
    known::find(schema, name)
}

fn unknown_type(url: &str) -> String {
    let url_text = names::clip(url);
    if url.contains('/') {
        format!("the type `{url_text}` is not known")
    } else {
        format!("`{url_text}` is no type URL: it needs a `/` before the name of the type")
    }
}

/// The members besides `@type`.
enum Members<'c, 't> {
    /// Those of the message itself.
    Inline(Object<'c, 't>),
    /// `value` alone, for types with a JSON form of their own.
    Value {
        message: MessageId,
        at: &'c At<'c>,
        required: bool,
        seen: bool,
    },
}

impl<'c, 't> Members<'c, 't> {
    fn new(context: &Context<'t, '_>, id: MessageId, at: &'c At<'c>) -> Self {
        let message = context.tables.message(id);
        match message.well_known {
            None => Self::Inline(Object::new(message, None, at)),
            Some(well_known) => Self::Value {
                message: id,
                at,
                required: well_known != WellKnown::Empty,
                seen: false,
            },
        }
    }

    fn read<'j, A: MapAccess<'j>>(
        mut self,
        context: &mut Context<'t, 'j>,
        early: Vec<Early<'j>>,
        mut map: A,
    ) -> Result<(), A::Error> {
        let at = match &self {
            Self::Inline(object) => object.at(),
            Self::Value { at, .. } => at,
        };
        for (key, value) in early {
            self.member(context, &key, value)
                .map_err(|error| context.failed_within(value.get(), &error))?;
        }
        while let Some(key) = next_key(context, at, &mut map)? {
            if key == "@type" {
                context.complain(&at.field("@type"), "is given twice");
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.member(context, &key, Next(&mut map))
                .map_err(|error| context.failed(&at.field(&key), error))?;
        }
        match self {
            Self::Inline(object) => object.finish(context),
            Self::Value {
                required: true,
                seen: false,
                ..
            } => context.complain(&at.field("value"), "is missing"),
            Self::Value { .. } => {}
        }
        Ok(())
    }

    fn member<'j, S: Source<'j>>(
        &mut self,
        context: &mut Context<'t, 'j>,
        key: &str,
        source: S,
    ) -> Result<(), S::Error> {
        let (message, at, seen) = match self {
            Self::Inline(object) => return object.member(context, key, source),
            Self::Value {
                message, at, seen, ..
            } => (*message, *at, seen),
        };
        let here = at.field(key);
        let ignored = context.options.unknown_fields == UnknownFields::Ignore;
        if key != "value" && !ignored {
            let what = "types with a JSON form of their own have `@type` and `value` only";
            context.complain(&here, what);
        }
        let twice = key == "value" && std::mem::replace(seen, true);
        if twice {
            context.complain(&here, "is given twice");
        }
        context.check()?;
        if key != "value" || twice {
            return skip(source);
        }
        let outcome = source.read(Content {
            context,
            message,
            at: &here,
            bound: None,
        })?;
        if outcome == Outcome::Null {
            context.complain(&here, "expected a value, found null");
        }
        Ok(())
    }
}

/// A member that stood before `@type` is parsed again from its text.
impl<'j> Source<'j> for &'j RawValue {
    type Error = serde_json::Error;

    fn read<S: DeserializeSeed<'j>>(self, seed: S) -> Result<S::Value, Self::Error> {
        seed.deserialize(&mut serde_json::Deserializer::from_str(self.get()))
    }
}

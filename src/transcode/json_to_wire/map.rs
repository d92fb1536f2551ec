//! Map fields, and the keys of JSON objects.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::context::{At, Context};
use super::scalar::{number_complaint, wire_type};
use super::value::{Element, Frame, Outcome};
use crate::schema::plan::{Field, Kind};
use crate::transcode::number;
use crate::transcode::proto::{WireType, put_bytes, put_tag};

/// Appends the records of a map field.
pub(super) fn read_map<'t, 'j, A: MapAccess<'j>>(
    context: &mut Context<'t, 'j>,
    field: &'t Field,
    at: &At<'_>,
    map: A,
) -> Result<Outcome, A::Error> {
    let tables = context.tables;
    let entry = field.kind.message().map(|id| tables.message(id));
    let Some((key, value)) =
        entry.and_then(|entry| Some((entry.by_number(1)?, entry.by_number(2)?)))
    else {
        context.complain(at, "its map type is not known");
        return drain(map);
    };
    Entries {
        number: field.number,
        key,
        value,
        seen: HashSet::new(),
    }
    .read(context, at, map)
}

/// What makes a key unique: its text, or the number it spells (`1` and `1.0` are one).
#[derive(PartialEq, Eq, Hash)]
enum Identity<'j> {
    Text(Cow<'j, str>),
    Number(u64),
}

struct Entries<'t, 'j> {
    number: u32,
    key: &'t Field,
    value: &'t Field,
    /// Seeded by the standard library, so that nobody can prepare keys that collide.
    seen: HashSet<Identity<'j>>,
}

impl<'t, 'j> Entries<'t, 'j> {
    fn read<A: MapAccess<'j>>(
        mut self,
        context: &mut Context<'t, 'j>,
        at: &At<'_>,
        mut map: A,
    ) -> Result<Outcome, A::Error> {
        while let Some(text) = next_key(context, at, &mut map)? {
            let here = at.key(&text);
            let start = context.out.len();
            put_tag(context.out, self.number, WireType::Len);
            let delimited = context.open();
            let number = put_key(context.out, self.key, &text).unwrap_or_else(|complaint| {
                context.complain(&here, complaint);
                None
            });
            let outcome = map.next_value_seed(Element {
                context,
                kind: self.value.kind,
                frame: Frame::Record(self.value.number),
                at: &here,
                bound: None,
            });
            match outcome.map_err(|error| context.failed(&here, error))? {
                Outcome::Set | Outcome::Default => context.close(delimited),
                Outcome::Null => context.complain(&here, "null is not allowed in a map"),
                Outcome::Skipped | Outcome::Wrong => context.out.truncate(start),
            }
            let identity = number.map_or(Identity::Text(text), Identity::Number);
            if let Some(twice) = self.seen.replace(identity) {
                let text = match &twice {
                    Identity::Text(text) => Cow::Borrowed(&**text),
                    Identity::Number(number) => Cow::Owned(number.to_string()),
                };
                context.complain(&at.key(&text), "is given twice");
            }
            context.check()?;
        }
        Ok(Outcome::Set)
    }
}

/// Appends the record of a map key; of a key that is no string, gives its value too.
pub(in crate::transcode) fn put_key(
    out: &mut Vec<u8>,
    field: &Field,
    text: &str,
) -> Result<Option<u64>, Cow<'static, str>> {
    put_tag(out, field.number, wire_type(field.kind));
    match field.kind {
        Kind::String => {
            put_bytes(out, text.as_bytes());
            Ok(None)
        }
        Kind::Bool => {
            let value = match text {
                "true" => 1,
                "false" => 0,
                _ => return Err(Cow::Borrowed("a key of this map is `true` or `false`")),
            };
            out.push(value);
            Ok(Some(u64::from(value)))
        }
        kind => number::integer(text)
            .and_then(|value| {
                number::put_integer(out, kind, value)?;
                // A key has at most 64 bits; the cut keeps different keys of one kind different.
                Ok(Some(value as u64))
            })
            .map_err(|error| number_complaint(error, text, "map key")),
    }
}

/// The next key of an object, borrowed from the body unless it has escapes.
pub(super) fn next_key<'j, A: MapAccess<'j>>(
    context: &mut Context<'_, 'j>,
    at: &At<'_>,
    map: &mut A,
) -> Result<Option<Cow<'j, str>>, A::Error> {
    let key = map
        .next_key_seed(Key)
        .map_err(|error| context.failed(at, error))?;
    if let Some(Cow::Borrowed(key)) = &key {
        context.saw(key);
    }
    Ok(key)
}

/// Reads the rest of an object for its form alone.
pub(super) fn drain<'j, A: MapAccess<'j>>(mut map: A) -> Result<Outcome, A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(Outcome::Wrong)
}

struct Key;

impl<'j> DeserializeSeed<'j> for Key {
    type Value = Cow<'j, str>;

    fn deserialize<D: Deserializer<'j>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'j> Visitor<'j> for Key {
    type Value = Cow<'j, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'j str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

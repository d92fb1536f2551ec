//! The field mask of a PATCH, from the keys of its body (B11).

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::tree::{Node, Slot, Values};
use super::{Bound, Input};
use crate::schema::binding::BodyTarget;
use crate::schema::plan::{Cardinality, Field, Message, Tables};
use crate::transcode::proto::{WireType, put_len_field, put_tag};

impl Bound {
    /// Fills the field mask of the binding with what the body names, unless it is given already.
    ///
    /// The body need not be valid: what is wrong with it is found out by who reads it.
    pub fn infer_update_mask(&mut self, input: &Input<'_>, json: &[u8]) {
        let binding = input.binding;
        let (Some(mask), BodyTarget::Field(body), Some(message)) =
            (binding.update_mask, &binding.body, binding.body_message)
        else {
            return;
        };
        if self.root.fields.contains_key(&mask.number) {
            return;
        }
        let mut paths = Vec::new();
        let keys = Keys {
            tables: input.tables,
            message: input.tables.message(message),
            prefix: "",
            node: below(Some(&self.root), body.number),
            paths: &mut paths,
        };
        let mut parser = serde_json::Deserializer::from_slice(json);
        if keys.deserialize(&mut parser).is_err() || paths.is_empty() {
            return;
        }
        let mut content = Vec::new();
        for path in &paths {
            put_len_field(&mut content, 1, path.as_bytes());
        }
        let mut wire = Vec::new();
        put_tag(&mut wire, mask.number, WireType::Len);
        crate::transcode::proto::put_bytes(&mut wire, &content);
        self.wire.extend_from_slice(&wire);
        let values = Values {
            wire,
            packed: false,
        };
        self.root.fields.insert(mask.number, Slot::Query(values));
    }
}

/// What is bound of the message in a field.
fn below(node: Option<&Node>, number: u32) -> Option<&Node> {
    match node?.fields.get(&number) {
        Some(Slot::Message { node, .. }) => Some(node),
        _ => None,
    }
}

/// Reads an object for the fields that it names.
struct Keys<'a, 'p> {
    tables: &'a Tables,
    message: &'a Message,
    /// What leads to the object, with a dot at its end.
    prefix: &'p str,
    node: Option<&'p Node>,
    paths: &'p mut Vec<String>,
}

/// Whether an object had any key at all.
type HadKeys = bool;

impl<'j> DeserializeSeed<'j> for Keys<'_, '_> {
    type Value = HadKeys;

    fn deserialize<D: Deserializer<'j>>(self, deserializer: D) -> Result<HadKeys, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'j> Visitor<'j> for Keys<'_, '_> {
    type Value = HadKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_none<E>(self) -> Result<HadKeys, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'j>>(self, deserializer: D) -> Result<HadKeys, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'j>>(mut self, mut entries: A) -> Result<HadKeys, A::Error> {
        let mut had_keys = false;
        while let Some(key) = entries.next_key::<Cow<'_, str>>()? {
            had_keys = true;
            match self.message.by_name(&key) {
                Some(field) => self.entry(field, &mut entries)?,
                None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(had_keys)
    }
}

impl Keys<'_, '_> {
    fn entry<'j, A: MapAccess<'j>>(
        &mut self,
        field: &Field,
        entries: &mut A,
    ) -> Result<(), A::Error> {
        let slot = self.node.and_then(|node| node.fields.get(&field.number));
        if matches!(slot, Some(Slot::Path(_) | Slot::Header(_))) {
            // It says which one is changed, not what of it.
            return entries.next_value::<IgnoredAny>().map(drop);
        }
        let path = format!("{}{}", self.prefix, field.name);
        let message = field.kind.message().map(|id| self.tables.message(id));
        let inner = message.filter(|message| {
            field.cardinality == Cardinality::Singular && message.well_known.is_none()
        });
        let names_no_field = match inner {
            None => {
                entries.next_value::<IgnoredAny>()?;
                true
            }
            Some(message) => !entries.next_value_seed(Keys {
                tables: self.tables,
                message,
                prefix: &format!("{path}."),
                node: below(self.node, field.number),
                paths: &mut *self.paths,
            })?,
        };
        if names_no_field {
            self.paths.push(path);
        }
        Ok(())
    }
}

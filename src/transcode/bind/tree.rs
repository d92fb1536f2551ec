//! What path and query bound, as a tree of field numbers (B1).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use super::key::{Select, Step, nested};
use super::part::{self, Content};
use super::text;
use crate::schema::plan::{Cardinality, Field, Kind, Message, MessageId, Tables};
use crate::schema::policy::JsonOptions;
use crate::transcode::Violation;
use crate::transcode::json_to_wire::put_key;
use crate::transcode::proto::{WireType, put_len_field, put_tag};

/// The bound fields of one message, by number.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) fields: BTreeMap<u32, Slot>,
}

/// What was bound to one field.
#[derive(Debug)]
pub(crate) enum Slot {
    /// A path variable: the one record of the field, tag and canonical value.
    Path(Vec<u8>),
    /// The same of a header or cookie (B14).
    Header(Vec<u8>),
    /// Query parameters, or parts of a form, of a field.
    Query(Values),
    /// A message of which fields were bound.
    Message {
        node: Node,
        group: bool,
        /// Whether the path set one of them.
        path: bool,
    },
    /// `a[0].b=`: elements by their index.
    List {
        elements: BTreeMap<u32, Node>,
        group: bool,
    },
    /// `m[key]=`: entries by the record of their key.
    Map(BTreeMap<Vec<u8>, Entry>),
}

/// The values of a query parameter.
#[derive(Debug)]
pub(crate) struct Values {
    /// Complete records, or for a packed field its values alone.
    pub(crate) wire: Vec<u8>,
    /// Whether the records still need their common packed tag.
    pub(crate) packed: bool,
}

/// The value of a map entry.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The record of the value.
    Value(Vec<u8>),
    /// A message of which fields were bound.
    Message(Node),
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Path,
    Header,
    Query,
    /// A form (B13).
    Body,
}

/// A value to bind.
pub(super) struct Value<'a> {
    pub(super) tables: &'a Tables,
    pub(super) json: &'a JsonOptions,
    pub(super) content: Content<'a>,
    pub(super) from: From,
}

type Complaint = Cow<'static, str>;

const BY_PATH: &str = "is set by the path, so the query must not name it";
const TWICE: &str = "is given twice";

/// Why a value cannot go where another one is.
fn clash(slot: &Slot, from: From) -> &'static str {
    match (slot, from) {
        (Slot::Path(_), From::Body) => "has another value in the body than in the path",
        (Slot::Path(_), From::Header) => "has another value in a header than in the path",
        (Slot::Header(_), From::Body) => "has another value in the body than in a header",
        (Slot::Header(_), From::Query) => "has another value in the query than in a header",
        (Slot::Path(_) | Slot::Message { path: true, .. }, From::Query) => BY_PATH,
        _ => TWICE,
    }
}

impl Node {
    /// Binds a value to the field that `steps` lead to.
    pub(super) fn insert(
        &mut self,
        steps: &[Step<'_, '_>],
        value: &Value<'_>,
    ) -> Result<(), Complaint> {
        let mut node = self;
        let mut steps = steps.iter();
        let Some(last) = steps.next_back() else {
            return Ok(());
        };
        for step in steps {
            node = node.descend(step, value)?;
        }
        node.check_oneof(last.message, last.field)?;
        node.set(last, value)
    }

    /// The node of the message that a step leads to.
    fn descend(&mut self, step: &Step<'_, '_>, value: &Value<'_>) -> Result<&mut Self, Complaint> {
        self.check_oneof(step.message, step.field)?;
        let group = matches!(step.field.kind, Kind::Group(_));
        let slot = self.fields.entry(step.field.number);
        let slot = slot.or_insert_with(|| match step.select {
            Select::Whole => Slot::Message {
                node: Self::default(),
                group,
                path: false,
            },
            Select::Index(_) => Slot::List {
                elements: BTreeMap::new(),
                group,
            },
            Select::Key(_) => Slot::Map(BTreeMap::new()),
        });
        match (slot, step.select) {
            (Slot::Message { node, path, .. }, Select::Whole) => {
                *path |= value.from == From::Path;
                Ok(node)
            }
            (Slot::List { elements, .. }, Select::Index(index)) => {
                Ok(elements.entry(index).or_default())
            }
            (Slot::Map(entries), Select::Key(key)) => {
                let key = key_record(value.tables, step.field, key)?;
                let entry = entries.entry(key);
                match entry.or_insert_with(|| Entry::Message(Self::default())) {
                    Entry::Message(node) => Ok(node),
                    Entry::Value(_) => Err(Cow::Borrowed(TWICE)),
                }
            }
            (slot, _) => Err(Cow::Borrowed(clash(slot, value.from))),
        }
    }

    /// Two members of one oneof never meet (B4).
    fn check_oneof(&self, message: &Message, field: &Field) -> Result<(), Complaint> {
        let Some(oneof) = field.oneof else {
            return Ok(());
        };
        let other = self
            .fields
            .keys()
            .filter(|number| **number != field.number)
            .filter_map(|number| message.by_number(*number))
            .find(|other| other.oneof == field.oneof);
        match other {
            None => Ok(()),
            Some(other) => {
                let oneof = message
                    .oneofs
                    .get(usize::from(oneof))
                    .map_or("", |name| name);
                let other = &other.json_name;
                Err(Cow::Owned(format!(
                    "`{other}` of the oneof `{oneof}` is set already"
                )))
            }
        }
    }

    fn set(&mut self, step: &Step<'_, '_>, value: &Value<'_>) -> Result<(), Complaint> {
        let Value { tables, from, .. } = *value;
        let field = step.field;
        if nested(tables, field).is_some() && matches!(value.content, Content::Text(_)) {
            return Err(Cow::Borrowed(
                "is a message; name one of its fields, as `a.b`",
            ));
        }
        let mut record = Vec::new();
        match (field.cardinality, step.select) {
            (Cardinality::Singular, _) => {
                value.put_record((field.number, field.kind), &mut record)?;
            }
            (Cardinality::Repeated, Select::Whole) if [From::Query, From::Body].contains(&from) => {
                return self.append(field, value);
            }
            (Cardinality::Repeated, _) => {
                return Err(Cow::Borrowed("is a list; repeat the key, as `a=1&a=2`"));
            }
            (Cardinality::Map, Select::Key(key)) => return self.set_entry(field, key, value),
            (Cardinality::Map, _) => {
                return Err(Cow::Borrowed(
                    "is a map; give the key in brackets, as `m[key]=1`",
                ));
            }
        }
        match self.fields.entry(field.number) {
            Place::Vacant(place) => {
                place.insert(match from {
                    From::Path => Slot::Path(record),
                    From::Header => Slot::Header(record),
                    From::Query | From::Body => Slot::Query(Values {
                        wire: record,
                        packed: false,
                    }),
                });
                Ok(())
            }
            Place::Occupied(place) => match (place.get(), from) {
                // What path and header say may be said again, in the same words (B3, B14).
                (Slot::Path(same), From::Header | From::Body) | (Slot::Header(same), _)
                    if *same == record =>
                {
                    Ok(())
                }
                (slot, from) => Err(Cow::Borrowed(clash(slot, from))),
            },
        }
    }

    /// Adds to a list, in the order of the query (B5).
    fn append(&mut self, field: &Field, value: &Value<'_>) -> Result<(), Complaint> {
        let slot = self.fields.entry(field.number).or_insert_with(|| {
            Slot::Query(Values {
                wire: Vec::new(),
                packed: field.packed && field.kind.packable(),
            })
        });
        let Slot::Query(values) = slot else {
            return Err(Cow::Borrowed(TWICE));
        };
        let place = (field.number, field.kind);
        match (values.packed, &value.content) {
            (true, Content::Text(text)) => {
                text::put_value(value.tables, value.json, field.kind, text, &mut values.wire)
            }
            (true, Content::Part { .. }) => Err(Cow::Borrowed(part::NO_FILE)),
            (false, _) => value.put_record(place, &mut values.wire),
        }
    }

    fn set_entry(&mut self, field: &Field, key: &str, value: &Value<'_>) -> Result<(), Complaint> {
        let tables = value.tables;
        let key = key_record(tables, field, key)?;
        let value_field = field
            .kind
            .message()
            .and_then(|entry| tables.message(entry).by_number(2))
            .ok_or("its map type is not known")?;
        let mut record = Vec::new();
        let place = (value_field.number, value_field.kind);
        value.put_record(place, &mut record)?;
        let slot = self.fields.entry(field.number);
        let Slot::Map(entries) = slot.or_insert_with(|| Slot::Map(BTreeMap::new())) else {
            return Err(Cow::Borrowed(TWICE));
        };
        match entries.insert(key, Entry::Value(record)) {
            None => Ok(()),
            Some(_) => Err(Cow::Borrowed(TWICE)),
        }
    }

    /// Complains about lists of which an element is missing.
    pub(super) fn check_lists(
        &self,
        (tables, id): (&Tables, MessageId),
        path: &str,
        violations: &mut Vec<Violation>,
    ) {
        for (number, slot) in &self.fields {
            let Some(field) = tables.message(id).by_number(*number) else {
                continue;
            };
            let Some(inner) = nested(tables, field).map(|id| (tables, id)) else {
                continue;
            };
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", field.json_name);
            match slot {
                Slot::Message { node, .. } => node.check_lists(inner, &path, violations),
                Slot::List { elements, .. } => {
                    let mut due = 0..;
                    let missing = elements.keys().find(|index| due.next() != Some(**index));
                    if let Some(index) = missing {
                        violations.push(Violation {
                            field: path.clone(),
                            description: format!("element {index} is given, but not all before it"),
                            offset: None,
                        });
                    }
                    for node in elements.values() {
                        node.check_lists(inner, &path, violations);
                    }
                }
                Slot::Map(entries) => {
                    for entry in entries.values() {
                        if let Entry::Message(node) = entry {
                            node.check_lists(inner, &path, violations);
                        }
                    }
                }
                Slot::Path(_) | Slot::Header(_) | Slot::Query(_) => {}
            }
        }
    }

    /// Appends everything bound as wire records.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for (number, slot) in &self.fields {
            match slot {
                Slot::Path(record) | Slot::Header(record) => out.extend_from_slice(record),
                Slot::Query(values) if values.packed => put_len_field(out, *number, &values.wire),
                Slot::Query(values) => out.extend_from_slice(&values.wire),
                Slot::Message { node, group, .. } => node.write_message(*number, *group, out),
                Slot::List { elements, group } => {
                    for node in elements.values() {
                        node.write_message(*number, *group, out);
                    }
                }
                Slot::Map(entries) => {
                    for (key, entry) in entries {
                        let mut content = key.clone();
                        match entry {
                            Entry::Value(record) => content.extend_from_slice(record),
                            Entry::Message(node) => node.write_message(2, false, &mut content),
                        }
                        put_len_field(out, *number, &content);
                    }
                }
            }
        }
    }

    fn write_message(&self, number: u32, group: bool, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        self.write(&mut content);
        if group {
            put_tag(out, number, WireType::StartGroup);
            out.extend_from_slice(&content);
            put_tag(out, number, WireType::EndGroup);
        } else {
            put_len_field(out, number, &content);
        }
    }
}

fn key_record(tables: &Tables, field: &Field, key: &str) -> Result<Vec<u8>, Complaint> {
    let entry = field.kind.message().map(|id| tables.message(id));
    let key_field = entry.and_then(|entry| entry.by_number(1));
    let mut out = Vec::new();
    put_key(&mut out, key_field.ok_or("its map type is not known")?, key)?;
    Ok(out)
}

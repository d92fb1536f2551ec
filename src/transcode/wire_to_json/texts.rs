//! The values of one field of a message as plain text, for headers (B14): what JSON has, without
//! its quotes and escapes.

use super::scalar::{Packed, Scalar};
use super::{JsonOptions, Response, transcode};
use crate::schema::binding::{FieldPath, FieldStep};
use crate::schema::plan::{Cardinality, Field, Kind, Tables, WellKnown};
use crate::transcode::json_to_wire::wire_type;
use crate::transcode::proto::{
    Malformed, Raw, Reader, WireType, put_len_field, put_tag, put_varint,
};

/// The values of a field: none where JSON leaves it out, one or, of a list, several. Bytes that are
/// no message have none.
pub fn texts(
    tables: &Tables,
    options: &JsonOptions,
    path: &FieldPath,
    wire: &[u8],
) -> Vec<Vec<u8>> {
    let Some((last, outer)) = path.steps.split_last() else {
        return Vec::new();
    };
    let mut parts = vec![wire];
    for step in outer {
        let found = records(tables, *step, &parts);
        parts = found.into_iter().filter_map(content).collect();
    }
    let Some(field) = tables.message(last.message).by_number(last.number) else {
        return Vec::new();
    };
    let records = records(tables, *last, &parts);
    let value = Value {
        tables,
        options: JsonOptions {
            indent: 0,
            ..*options
        },
        step: *last,
        field,
    };
    if field.cardinality == Cardinality::Singular {
        return value.text(&records).into_iter().collect();
    }
    let items = records.into_iter().flat_map(|record| items(field, record));
    items.filter_map(|item| value.text(&[item])).collect()
}

/// The records of a field in the parts of a message, without those that another member of its oneof
/// came after.
fn records<'w>(tables: &Tables, step: FieldStep, parts: &[&'w [u8]]) -> Vec<Raw<'w>> {
    let message = tables.message(step.message);
    let oneof_of = |number| message.by_number(number).and_then(|field| field.oneof);
    let own = oneof_of(step.number);
    let mut found = Vec::new();
    for part in parts {
        let mut reader = Reader::new(part);
        while let Some((number, raw)) = record(&mut reader) {
            if number == step.number {
                found.push(raw);
            } else if own.is_some() && oneof_of(number) == own {
                found.clear();
            }
        }
    }
    found
}

fn record<'w>(reader: &mut Reader<'w>) -> Option<(u32, Raw<'w>)> {
    if reader.is_empty() {
        return None;
    }
    let mut next = || -> Result<_, Malformed> {
        let (number, kind) = reader.tag()?;
        Ok((number, reader.value(number, kind)?))
    };
    next().ok()
}

fn content(record: Raw<'_>) -> Option<&[u8]> {
    match record {
        Raw::Len(bytes) | Raw::Group(bytes) => Some(bytes),
        Raw::Varint(_) | Raw::Fixed32(_) | Raw::Fixed64(_) => None,
    }
}

/// The items of a list that stand in one record.
fn items<'w>(field: &Field, record: Raw<'w>) -> Vec<Raw<'w>> {
    match record {
        Raw::Len(bytes) if field.kind.packable() => {
            let mut packed = Packed::new(bytes, wire_type(field.kind));
            std::iter::from_fn(|| packed.next().ok().flatten()).collect()
        }
        record => vec![record],
    }
}

/// One value of a field.
struct Value<'t> {
    tables: &'t Tables,
    options: JsonOptions,
    step: FieldStep,
    field: &'t Field,
}

impl Value<'_> {
    /// The text of what the records say together.
    fn text<'w>(&self, records: &[Raw<'w>]) -> Option<Vec<u8>> {
        match self.field.kind {
            Kind::Message(id) | Kind::Group(id) => {
                let parts: Vec<&[u8]> = records.iter().copied().filter_map(content).collect();
                if parts.is_empty() {
                    return None;
                }
                let message = self.tables.message(id);
                let inner = message.fields.first();
                match (message.well_known, inner) {
                    (Some(WellKnown::Wrapper), Some(inner)) if inner.kind == Kind::String => {
                        let step = FieldStep {
                            message: id,
                            number: inner.number,
                        };
                        let found = self::records(self.tables, step, &parts);
                        Some(string(self.tables, &found).unwrap_or_default())
                    }
                    _ => self.json(records),
                }
            }
            kind => {
                let scalar = |raw: &Raw<'w>| Scalar::decode(self.tables, kind, *raw).ok()?;
                let last = records.iter().rev().find_map(scalar)?;
                let field = self.field;
                let implicit = field.cardinality == Cardinality::Singular
                    && !field.presence
                    && field.oneof.is_none();
                match last {
                    last if implicit && last.is_default() => None,
                    Scalar::Text(text) => Some(text.as_bytes().to_owned()),
                    _ => self.json(records),
                }
            }
        }
    }

    /// The JSON form, which has no escapes here, without quotes and brackets.
    fn json(&self, records: &[Raw<'_>]) -> Option<Vec<u8>> {
        let mut wire = Vec::new();
        for record in records {
            put(&mut wire, self.step.number, *record);
        }
        let response = Response {
            tables: self.tables,
            message: self.step.message,
            selection: Some(self.step),
            options: &self.options,
            limit: usize::MAX,
        };
        let mut json = Vec::new();
        transcode(&response, &wire, &mut json).ok()?;
        let mut text = json.as_slice();
        for (open, close) in [(b"[", b"]"), (b"\"", b"\"")] {
            let inner = text.strip_prefix(open);
            text = inner
                .and_then(|inner| inner.strip_suffix(close))
                .unwrap_or(text);
        }
        (text != b"null").then(|| text.to_owned())
    }
}

fn string(tables: &Tables, records: &[Raw<'_>]) -> Option<Vec<u8>> {
    let text = |raw: &Raw<'_>| match Scalar::decode(tables, Kind::String, *raw).ok()? {
        Some(Scalar::Text(text)) => Some(text.as_bytes().to_owned()),
        _ => None,
    };
    records.iter().rev().find_map(text)
}

fn put(out: &mut Vec<u8>, number: u32, record: Raw<'_>) {
    match record {
        Raw::Varint(value) => {
            put_tag(out, number, WireType::Varint);
            put_varint(out, value);
        }
        Raw::Fixed32(value) => {
            put_tag(out, number, WireType::Fixed32);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Raw::Fixed64(value) => {
            put_tag(out, number, WireType::Fixed64);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Raw::Len(bytes) => put_len_field(out, number, bytes),
        // No value of a header is a group.
        Raw::Group(_) => {}
    }
}

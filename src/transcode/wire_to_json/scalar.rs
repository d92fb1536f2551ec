//! Scalars and enums: from records to values to JSON text.

use super::ErrorKind;
use super::walker::{Stop, Walker};
use crate::schema::plan::{EnumId, Kind, Tables};
use crate::schema::policy::{Enums, Int64};
use crate::transcode::proto::{Raw, Reader, WireType, unzigzag};
use crate::transcode::{base64, escape};

/// A decoded value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'w> {
    I32(i32),
    I64(i64),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    Bool(bool),
    Text(&'w str),
    Bytes(&'w [u8]),
    Enum(EnumId, i32),
}

impl<'w> Scalar<'w> {
    /// The value of a record; `None` when a field of this kind cannot have it, which makes it an
    /// unknown field: another wire type, or a number that a closed enum lacks.
    pub(super) fn decode(
        tables: &Tables,
        kind: Kind,
        raw: Raw<'w>,
    ) -> Result<Option<Self>, ErrorKind> {
        Ok(Some(match (kind, raw) {
            (Kind::Int32, Raw::Varint(value)) => Self::I32(value as i32),
            (Kind::Int64, Raw::Varint(value)) => Self::I64(value as i64),
            (Kind::Uint32, Raw::Varint(value)) => Self::U32(value as u32),
            (Kind::Uint64, Raw::Varint(value)) => Self::U64(value),
            (Kind::Sint32, Raw::Varint(value)) => {
                Self::I32(unzigzag(u64::from(value as u32)) as i32)
            }
            (Kind::Sint64, Raw::Varint(value)) => Self::I64(unzigzag(value)),
            (Kind::Bool, Raw::Varint(value)) => Self::Bool(value != 0),
            (Kind::Enum(id), Raw::Varint(value)) => {
                let enumeration = tables.enumeration(id);
                let value = value as i32;
                if enumeration.closed && !enumeration.by_number.contains_key(&value) {
                    return Ok(None);
                }
                Self::Enum(id, value)
            }
            (Kind::Fixed32, Raw::Fixed32(value)) => Self::U32(value),
            (Kind::Sfixed32, Raw::Fixed32(value)) => Self::I32(value as i32),
            (Kind::Float, Raw::Fixed32(value)) => Self::F32(f32::from_bits(value)),
            (Kind::Fixed64, Raw::Fixed64(value)) => Self::U64(value),
            (Kind::Sfixed64, Raw::Fixed64(value)) => Self::I64(value as i64),
            (Kind::Double, Raw::Fixed64(value)) => Self::F64(f64::from_bits(value)),
            (Kind::String, Raw::Len(bytes)) => {
                Self::Text(std::str::from_utf8(bytes).map_err(|_error| ErrorKind::Utf8)?)
            }
            (Kind::Bytes, Raw::Len(bytes)) => Self::Bytes(bytes),
            _ => return Ok(None),
        }))
    }

    /// The value of a field that is not set.
    pub(super) fn default(tables: &Tables, kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Self::I32(0),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Self::I64(0),
            Kind::Uint32 | Kind::Fixed32 => Self::U32(0),
            Kind::Uint64 | Kind::Fixed64 => Self::U64(0),
            Kind::Float => Self::F32(0.0),
            Kind::Double => Self::F64(0.0),
            Kind::Bool => Self::Bool(false),
            Kind::String => Self::Text(""),
            Kind::Bytes => Self::Bytes(&[]),
            Kind::Enum(id) => {
                let first = tables.enumeration(id).values.first();
                Self::Enum(id, first.map_or(0, |(_, number)| *number))
            }
            Kind::Message(_) | Kind::Group(_) => return None,
        })
    }

    /// Whether a field without presence would leave it out; minus zero is not zero.
    pub(super) fn is_default(&self) -> bool {
        match *self {
            Self::I32(value) | Self::Enum(_, value) => value == 0,
            Self::I64(value) => value == 0,
            Self::U32(value) => value == 0,
            Self::U64(value) => value == 0,
            Self::F32(value) => value.to_bits() == 0,
            Self::F64(value) => value.to_bits() == 0,
            Self::Bool(value) => !value,
            Self::Text(value) => value.is_empty(),
            Self::Bytes(value) => value.is_empty(),
        }
    }

    /// What makes a map key unique.
    pub(super) fn identity(&self) -> Identity<'w> {
        match *self {
            Self::Text(text) => Identity::Text(text),
            Self::I32(value) | Self::Enum(_, value) => Identity::Number(value as u64),
            Self::I64(value) => Identity::Number(value as u64),
            Self::U32(value) => Identity::Number(u64::from(value)),
            Self::U64(value) => Identity::Number(value),
            Self::Bool(value) => Identity::Number(u64::from(value)),
            Self::F32(_) | Self::F64(_) | Self::Bytes(_) => Identity::Number(0),
        }
    }
}

/// What makes a map key unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity<'w> {
    Text(&'w str),
    Number(u64),
}

/// The values of a packed list.
pub(super) struct Packed<'w> {
    reader: Reader<'w>,
    wire_type: WireType,
}

impl<'w> Packed<'w> {
    pub(super) fn new(bytes: &'w [u8], wire_type: WireType) -> Self {
        Self {
            reader: Reader::new(bytes),
            wire_type,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Raw<'w>>, Stop> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.reader.value(0, self.wire_type)?))
    }
}

impl Walker<'_, '_> {
    /// Prints a value.
    pub(super) fn scalar(&mut self, scalar: Scalar<'_>) {
        let out = &mut *self.out;
        let quoted = self.options.int64 == Int64::String;
        match scalar {
            Scalar::I32(value) => integer(out, value, false),
            Scalar::U32(value) => integer(out, value, false),
            Scalar::I64(value) => integer(out, value, quoted),
            Scalar::U64(value) => integer(out, value, quoted),
            Scalar::F32(value) => float(out, value, value.into()),
            Scalar::F64(value) => float(out, value, value),
            Scalar::Bool(value) => {
                out.extend_from_slice(if value { b"true" } else { b"false" });
            }
            Scalar::Text(text) => escape::string(out, text),
            Scalar::Bytes(bytes) => {
                out.push(b'"');
                base64::encode(out, bytes);
                out.push(b'"');
            }
            Scalar::Enum(id, number) => self.enum_value(id, number),
        }
    }

    pub(super) fn enum_value(&mut self, id: EnumId, number: i32) {
        let enumeration = self.tables.enumeration(id);
        if enumeration.null_value {
            return self.out.extend_from_slice(b"null");
        }
        let name = enumeration
            .by_number
            .get(&number)
            .and_then(|at| enumeration.values.get(*at as usize));
        match (self.options.enums, name) {
            (Enums::Name, Some((name, _))) => escape::string(&mut self.out, name),
            (Enums::Number, _) | (Enums::Name, None) => integer(&mut self.out, number, false),
        }
    }

    /// Prints the key of a map entry, which is always a string in JSON.
    pub(super) fn map_key(&mut self, key: Scalar<'_>) {
        match key {
            Scalar::Text(text) => escape::string(&mut self.out, text),
            Scalar::I64(value) => integer(&mut self.out, value, true),
            Scalar::U64(value) => integer(&mut self.out, value, true),
            other => {
                self.out.push(b'"');
                self.scalar(other);
                self.out.push(b'"');
            }
        }
    }
}

#[inline]
pub(super) fn integer(out: &mut Vec<u8>, value: impl itoa::Integer, quoted: bool) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    if quoted {
        out.push(b'"');
        out.extend_from_slice(digits);
        out.push(b'"');
    } else {
        out.extend_from_slice(digits);
    }
}

/// Prints the shortest digits that read back as the same `value` of its own width.
pub(super) fn float(out: &mut Vec<u8>, value: impl zmij::Float, wide: f64) {
    if wide.is_finite() {
        let mut buffer = zmij::Buffer::new();
        let digits = buffer.format(value).as_bytes();
        out.extend_from_slice(digits.strip_suffix(b".0").unwrap_or(digits));
        return;
    }
    out.extend_from_slice(if wide.is_nan() {
        b"\"NaN\""
    } else if wide > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    });
}

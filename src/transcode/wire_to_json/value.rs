//! The quick pass over scalars and enums: from the wire to JSON text, without a value in between.

use super::object::Before;
use super::out::Integer;
use super::walker::{Stop, Walker};
use crate::schema::plan::{Enum, EnumId, Kind, Rendered};
use crate::schema::policy::{Enums, Int64};
use crate::transcode::proto::{Reader, unzigzag};

impl<'t> Walker<'t, '_> {
    /// Prints the value that `reader` stands before. What stands before it in JSON is asked of
    /// `before`, which is told whether it is a default.
    #[inline]
    pub(super) fn value(
        &mut self,
        kind: Kind,
        reader: &mut Reader<'_>,
        before: impl Before<'t>,
    ) -> Result<(), Stop> {
        match kind {
            Kind::Int32 => self.signed(i64::from(reader.varint()? as i32), false, before),
            Kind::Sint32 => {
                let value = unzigzag(u64::from(reader.varint()? as u32)) as i32;
                self.signed(value.into(), false, before)
            }
            Kind::Sfixed32 => self.signed(i64::from(reader.fixed32()? as i32), false, before),
            Kind::Int64 => self.signed(reader.varint()? as i64, true, before),
            Kind::Sint64 => self.signed(unzigzag(reader.varint()?), true, before),
            Kind::Sfixed64 => self.signed(reader.fixed64()? as i64, true, before),
            Kind::Uint32 => self.unsigned(u64::from(reader.varint()? as u32), false, before),
            Kind::Fixed32 => self.unsigned(reader.fixed32()?.into(), false, before),
            Kind::Uint64 => self.unsigned(reader.varint()?, true, before),
            Kind::Fixed64 => self.unsigned(reader.fixed64()?, true, before),
            Kind::Float => self.float(f32::from_bits(reader.fixed32()?), before),
            Kind::Double => self.double(f64::from_bits(reader.fixed64()?), before),
            Kind::Bool => {
                let value = reader.varint()? != 0;
                let text = if value {
                    Rendered::TRUE
                } else {
                    Rendered::FALSE
                };
                match before.key(self, !value)? {
                    Some(key) => self.out.pair(key, text),
                    None => Ok(()),
                }
            }
            Kind::Enum(id) => self.enumeration(id, reader.varint()? as i32, before),
            Kind::String => {
                let bytes = reader.bytes()?;
                match before.key(self, bytes.is_empty())? {
                    Some(key) => self.out.string(key, bytes),
                    None => Ok(()),
                }
            }
            Kind::Bytes => {
                let bytes = reader.bytes()?;
                match before.key(self, bytes.is_empty())? {
                    Some(key) => self.out.base64(key, bytes),
                    None => Ok(()),
                }
            }
            // They have no values of their own.
            Kind::Message(_) | Kind::Group(_) => Ok(()),
        }
    }

    #[inline]
    fn signed(&mut self, value: i64, wide: bool, before: impl Before<'t>) -> Result<(), Stop> {
        let Some(key) = before.key(self, value == 0)? else {
            return Ok(());
        };
        let quoted = wide && self.options.int64 == Int64::String;
        self.out.integer(key, Integer::from(value), quoted)
    }

    #[inline]
    fn unsigned(&mut self, value: u64, wide: bool, before: impl Before<'t>) -> Result<(), Stop> {
        let Some(key) = before.key(self, value == 0)? else {
            return Ok(());
        };
        let quoted = wide && self.options.int64 == Int64::String;
        self.out.integer(key, Integer::from(value), quoted)
    }

    #[inline]
    fn double(&mut self, value: f64, before: impl Before<'t>) -> Result<(), Stop> {
        let Some(key) = before.key(self, value.to_bits() == 0)? else {
            return Ok(());
        };
        match thousandths(value) {
            Some(thousandths) => self.out.thousandths(key, thousandths),
            None => self.fraction(key, value, value),
        }
    }

    #[inline]
    fn float(&mut self, value: f32, before: impl Before<'t>) -> Result<(), Stop> {
        let Some(key) = before.key(self, value.to_bits() == 0)? else {
            return Ok(());
        };
        match short_thousandths(value) {
            Some(thousandths) => self.out.thousandths(key, thousandths),
            None => self.fraction(key, value, value.into()),
        }
    }

    /// Prints the shortest digits that read back as the same `value` of its own width.
    fn fraction(&mut self, key: &Rendered, value: impl zmij::Float, wide: f64) -> Result<(), Stop> {
        if !wide.is_finite() {
            let text: &[u8] = match (wide.is_nan(), wide > 0.0) {
                (true, _) => b"\"NaN\"",
                (false, true) => b"\"Infinity\"",
                (false, false) => b"\"-Infinity\"",
            };
            return self.out.plain(key, text);
        }
        let mut buffer = zmij::Buffer::new();
        let digits = buffer.format_finite(value).as_bytes();
        self.out
            .short(key, digits.strip_suffix(b".0").unwrap_or(digits))
    }

    /// Prints a number of an enum, or counts it if a closed one lacks it.
    fn enumeration(
        &mut self,
        id: EnumId,
        number: i32,
        before: impl Before<'t>,
    ) -> Result<(), Stop> {
        let of: &'t Enum = self.tables.enumeration(id);
        let name = of.printed(number);
        if of.closed && name.is_none() && !of.by_number.contains_key(&number) {
            self.unknown_fields += 1;
            return Ok(());
        }
        let Some(key) = before.key(self, number == 0)? else {
            return Ok(());
        };
        if let Some(name) = name
            && (self.options.enums == Enums::Name || of.null_value)
        {
            return self.out.pair(key, name);
        }
        self.out.rendered(key)?;
        self.enum_value(id, number);
        Ok(())
    }

    /// Prints the key of a map entry, which is always a string in JSON.
    #[inline]
    pub(super) fn entry_key(&mut self, kind: Kind, reader: &mut Reader<'_>) -> Result<(), Stop> {
        let signed = match kind {
            Kind::String => return self.out.string(Rendered::NOTHING, reader.bytes()?),
            Kind::Bool => {
                let text: &[u8] = match reader.varint()? {
                    0 => b"\"false\"",
                    _ => b"\"true\"",
                };
                return self.out.plain(Rendered::NOTHING, text);
            }
            Kind::Uint64 => {
                let value = Integer::from(reader.varint()?);
                return self.out.integer(Rendered::NOTHING, value, true);
            }
            Kind::Fixed64 => {
                let value = Integer::from(reader.fixed64()?);
                return self.out.integer(Rendered::NOTHING, value, true);
            }
            Kind::Int32 => i64::from(reader.varint()? as i32),
            Kind::Int64 => reader.varint()? as i64,
            Kind::Uint32 => i64::from(reader.varint()? as u32),
            Kind::Sint32 => i64::from(unzigzag(u64::from(reader.varint()? as u32)) as i32),
            Kind::Sint64 => unzigzag(reader.varint()?),
            Kind::Fixed32 => i64::from(reader.fixed32()?),
            Kind::Sfixed32 => i64::from(reader.fixed32()? as i32),
            Kind::Sfixed64 => reader.fixed64()? as i64,
            // They are no keys.
            Kind::Double
            | Kind::Float
            | Kind::Bytes
            | Kind::Enum(_)
            | Kind::Message(_)
            | Kind::Group(_) => return Err(Stop::Conflict),
        };
        self.out
            .integer(Rendered::NOTHING, Integer::from(signed), true)
    }
}

/// How many thousandths a number is, if that says it all; minus zero is none.
///
/// A decimal of at most 15 digits is the nearest one to a single double, and dividing whole numbers
/// rounds to the nearest double. So if the quotient is `value`, the decimal of these thousandths
/// reads back as it, and no shorter one does: that would be a second decimal for the same double.
#[inline]
fn thousandths(value: f64) -> Option<i64> {
    /// Below, thousandths have at most 15 digits.
    const LIMIT: f64 = 1e12;
    let whole = (value * 1_000.0 + 0.5_f64.copysign(value)) as i64;
    let same = (whole as f64 / 1_000.0).to_bits() == value.to_bits();
    (same && value.abs() < LIMIT).then_some(whole)
}

/// The same of a float, which is sure of 6 digits.
#[inline]
fn short_thousandths(value: f32) -> Option<i64> {
    const LIMIT: f32 = 1e3;
    let whole = (value * 1_000.0 + 0.5_f32.copysign(value)) as i32;
    let same = (whole as f32 / 1_000.0).to_bits() == value.to_bits();
    (same && value.abs() < LIMIT).then_some(whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(thousandths: i64) -> String {
        let mut bytes = Vec::new();
        let mut out = crate::transcode::wire_to_json::out::Out::new(&mut bytes, 99);
        drop(out.thousandths(Rendered::NOTHING, thousandths));
        String::from_utf8(bytes).unwrap()
    }

    /// The ways to print a number agree, wherever the quick one is taken.
    fn agree(value: f64) -> usize {
        let mut buffer = zmij::Buffer::new();
        let mut taken = 0;
        if let Some(thousandths) = thousandths(value) {
            let digits = buffer.format(value);
            let digits = digits.strip_suffix(".0").unwrap_or(digits);
            assert_eq!(decimal(thousandths), digits, "{value:e}");
            taken += 1;
        }
        let float = value as f32;
        if let Some(thousandths) = short_thousandths(float) {
            let digits = buffer.format(float);
            let digits = digits.strip_suffix(".0").unwrap_or(digits);
            assert_eq!(decimal(thousandths), digits, "{float:e}");
            taken += 1;
        }
        taken
    }

    #[test]
    fn thousandths_have_the_shortest_digits() {
        assert_eq!((thousandths(0.0), thousandths(-0.0)), (Some(0), None));
        assert_eq!(thousandths(f64::NAN), None);
        assert_eq!(thousandths(f64::INFINITY), None);
        assert_eq!(thousandths(0.0001), None);
        assert_eq!(short_thousandths(f32::NAN), None);
        let mut taken = 0;
        let mut random = 1_u64;
        for at in 0..200_000_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(at | 1);
            let bits = f64::from_bits(random);
            let whole = (random >> (at % 60 + 4)) as f64;
            for value in [
                bits,
                whole,
                whole / 10.0,
                whole / 1e3,
                whole / 1e4,
                -whole / 8.0,
            ] {
                taken += agree(value);
                taken += agree(f64::from_bits(value.to_bits().wrapping_add(1)));
            }
        }
        assert!(taken > 200_000, "{taken}");
    }
}

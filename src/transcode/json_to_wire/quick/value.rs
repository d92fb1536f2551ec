//! Values of fields: which reader a kind needs, and the record around it.

use super::number::Integer;
use super::{Doubt, Outcome, Quick};
use crate::schema::plan::{EnumId, Kind, MessageId, Tag, Target, WellKnown};
use crate::transcode::bind::Node;
use crate::transcode::proto::zigzag;

/// Deeper things that nobody knows are left to the simple pass.
const MAX_SKIPPED_DEPTH: usize = 64;

impl Quick<'_, '_> {
    /// Reads the value of a singular field and appends its record.
    #[inline(always)]
    pub(super) fn singular(
        &mut self,
        target: &Target,
        bound: Option<&Node>,
    ) -> Result<Outcome, Doubt> {
        if self.cursor.token() == b'n' && !self.takes_null(target.kind) {
            self.cursor.literal(b"null")?;
            return Ok(Outcome::Null);
        }
        match target.kind {
            Kind::Message(id) => self.message(target.tag, id, bound)?,
            Kind::Group(id) => self.group(target.tag, id, bound)?,
            kind => self.scalar(kind, target.tag, target.implicit)?,
        }
        Ok(Outcome::Set)
    }

    /// Reads a value and appends its record, whatever it is.
    pub(super) fn element_or_null(&mut self, kind: Kind, tag: Tag) -> Result<Outcome, Doubt> {
        if self.cursor.token() == b'n' && !self.takes_null(kind) {
            self.cursor.literal(b"null")?;
            return Ok(Outcome::Null);
        }
        self.element(kind, tag)?;
        Ok(Outcome::Set)
    }

    /// Reads an element of a list or the value of a map entry, and appends its record.
    #[inline(always)]
    pub(super) fn element(&mut self, kind: Kind, tag: Tag) -> Result<(), Doubt> {
        match kind {
            Kind::Message(id) => self.message(tag, id, None),
            Kind::Group(id) => self.group(tag, id, None),
            kind => self.scalar(kind, tag, false),
        }
    }

    /// Whether null is a value of this kind.
    #[inline(never)]
    fn takes_null(&self, kind: Kind) -> bool {
        match kind {
            Kind::Message(id) => self.tables.message(id).well_known == Some(WellKnown::Value),
            Kind::Enum(id) => self.tables.enumeration(id).null_value,
            _ => false,
        }
    }

    #[inline(never)]
    fn message(&mut self, tag: Tag, id: MessageId, bound: Option<&Node>) -> Result<(), Doubt> {
        self.out.put_tag(tag)?;
        let length = self.out.open(self.depth)?;
        self.content(id, bound)?;
        self.out.close(length)
    }

    fn group(&mut self, tag: Tag, id: MessageId, bound: Option<&Node>) -> Result<(), Doubt> {
        self.out.put_tag(tag)?;
        self.content(id, bound)?;
        // The tag of the end differs from that of the start in the wire type alone.
        let end = Tag {
            bytes: tag.bytes ^ (3 ^ 4),
            len: tag.len,
        };
        self.out.put_tag(end)
    }

    /// Reads a message and appends its content, without tag or length.
    #[inline]
    pub(super) fn content(&mut self, id: MessageId, bound: Option<&Node>) -> Result<(), Doubt> {
        let message = self.tables.message(id);
        match message.well_known {
            None | Some(WellKnown::Empty) => self.object(message, bound),
            Some(well_known) => self.well_known(message, well_known),
        }
    }

    /// Reads the list of a repeated field and appends its records.
    pub(super) fn list_field(&mut self, target: &Target) -> Result<Outcome, Doubt> {
        if self.cursor.token() == b'n' {
            self.cursor.literal(b"null")?;
            return Ok(Outcome::Null);
        }
        self.list(target)?;
        Ok(Outcome::Set)
    }

    /// Reads a list and appends its records.
    pub(super) fn list(&mut self, target: &Target) -> Result<(), Doubt> {
        self.enter()?;
        let (kind, tag) = (target.kind, target.tag);
        if self.cursor.open(b'[', b']')? {
            if target.packed {
                self.out.put_tag(tag)?;
                let length = self.out.open(self.depth)?;
                self.elements(kind, Tag::NONE)?;
                self.out.close(length)?;
            } else {
                self.elements(kind, tag)?;
            }
        }
        self.leave();
        Ok(())
    }

    fn elements(&mut self, kind: Kind, tag: Tag) -> Result<(), Doubt> {
        loop {
            self.element(kind, tag)?;
            if !self.cursor.more(b']')? {
                return Ok(());
            }
        }
    }

    /// Reads a scalar or enum and appends its record, unless it is a default that is left out.
    #[inline(always)]
    pub(super) fn scalar(&mut self, kind: Kind, tag: Tag, implicit: bool) -> Result<(), Doubt> {
        match kind {
            Kind::String => {
                self.cursor.expect(b'"')?;
                let text = self.cursor.text()?;
                if implicit && text.raw.is_empty() {
                    return Ok(());
                }
                self.put_text(tag, text)
            }
            Kind::Bytes => {
                let start = self.out.at;
                let text = self.cursor.string()?;
                if self.put_base64(tag, text)? == 0 && implicit {
                    self.out.truncate(start);
                }
                Ok(())
            }
            Kind::Bool => {
                let value = self.boolean()?;
                if implicit && !value {
                    return Ok(());
                }
                self.out.put_varint(tag, u64::from(value))
            }
            Kind::Enum(id) => {
                let value = self.enumeration(id)?;
                if implicit && value == 0 {
                    return Ok(());
                }
                self.out.put_varint(tag, i64::from(value) as u64)
            }
            Kind::Double => {
                let value = self.cursor.double()?.to_bits();
                self.put_fixed64(tag, value, implicit)
            }
            Kind::Float => {
                let value = self.cursor.float()?.to_bits();
                self.put_fixed32(tag, value, implicit)
            }
            kind => {
                let value = self.cursor.integer()?;
                self.put_integer(kind, tag, value, implicit)
            }
        }
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Doubt> {
        let value = self.cursor.token() == b't';
        self.cursor
            .literal(if value { b"true" } else { b"false" })?;
        Ok(value)
    }

    #[inline(never)]
    fn enumeration(&mut self, id: EnumId) -> Result<i32, Doubt> {
        let enumeration = self.tables.enumeration(id);
        match self.cursor.token() {
            b'"' => enumeration
                .number(self.cursor.string()?.plain()?)
                .ok_or(Doubt),
            b'n' if enumeration.null_value => {
                self.cursor.literal(b"null")?;
                Ok(0)
            }
            _ => {
                let value = self.cursor.integer()?.signed()?;
                let value = i32::try_from(value).map_err(|_error| Doubt)?;
                if enumeration.closed && !enumeration.by_number.contains_key(&value) {
                    return Err(Doubt);
                }
                Ok(value)
            }
        }
    }

    #[inline(always)]
    pub(super) fn put_integer(
        &mut self,
        kind: Kind,
        tag: Tag,
        value: Integer,
        implicit: bool,
    ) -> Result<(), Doubt> {
        let varint = match kind {
            Kind::Int32 => value.signed32()? as u64,
            Kind::Int64 => value.signed()? as u64,
            Kind::Uint32 => value.unsigned32()?,
            Kind::Uint64 => value.unsigned()?,
            Kind::Sint32 => zigzag(value.signed32()?),
            Kind::Sint64 => zigzag(value.signed()?),
            Kind::Fixed32 => return self.put_fixed32(tag, value.unsigned32()? as u32, implicit),
            Kind::Sfixed32 => return self.put_fixed32(tag, value.signed32()? as u32, implicit),
            Kind::Fixed64 => return self.put_fixed64(tag, value.unsigned()?, implicit),
            Kind::Sfixed64 => return self.put_fixed64(tag, value.signed()? as u64, implicit),
            _ => return Err(Doubt),
        };
        if implicit && varint == 0 {
            return Ok(());
        }
        self.out.put_varint(tag, varint)
    }

    #[inline(always)]
    fn put_fixed32(&mut self, tag: Tag, value: u32, implicit: bool) -> Result<(), Doubt> {
        if implicit && value == 0 {
            return Ok(());
        }
        self.out.put_fixed(tag, u64::from(value), 4)
    }

    #[inline(always)]
    fn put_fixed64(&mut self, tag: Tag, value: u64, implicit: bool) -> Result<(), Doubt> {
        if implicit && value == 0 {
            return Ok(());
        }
        self.out.put_fixed(tag, value, 8)
    }

    /// Goes past a value that nobody knows, and sees that it is one.
    pub(super) fn skip(&mut self, depth: usize) -> Result<(), Doubt> {
        if depth > MAX_SKIPPED_DEPTH {
            return Err(Doubt);
        }
        match self.cursor.token() {
            b'{' => {
                let mut more = self.cursor.open(b'{', b'}')?;
                while more {
                    self.cursor.string()?.plain()?;
                    self.cursor.expect(b':')?;
                    self.skip(depth + 1)?;
                    more = self.cursor.more(b'}')?;
                }
                Ok(())
            }
            b'[' => {
                let mut more = self.cursor.open(b'[', b']')?;
                while more {
                    self.skip(depth + 1)?;
                    more = self.cursor.more(b']')?;
                }
                Ok(())
            }
            b'"' => self.cursor.string()?.plain().map(|_text| ()),
            b't' | b'f' => self.boolean().map(|_value| ()),
            b'n' => self.cursor.literal(b"null"),
            _ => self.cursor.bare_double().map(|_value| ()),
        }
    }
}

// === impl Integer ===

impl Integer {
    #[inline]
    fn signed(self) -> Result<i64, Doubt> {
        let value = if self.negative {
            0_i64.checked_sub_unsigned(self.magnitude)
        } else {
            0_i64.checked_add_unsigned(self.magnitude)
        };
        value.ok_or(Doubt)
    }

    #[inline]
    fn signed32(self) -> Result<i64, Doubt> {
        let value = self.signed()?;
        if i32::try_from(value).is_err() {
            return Err(Doubt);
        }
        Ok(value)
    }

    #[inline]
    fn unsigned(self) -> Result<u64, Doubt> {
        if self.negative && self.magnitude != 0 {
            return Err(Doubt);
        }
        Ok(self.magnitude)
    }

    #[inline]
    fn unsigned32(self) -> Result<u64, Doubt> {
        let value = self.unsigned()?;
        if u32::try_from(value).is_err() {
            return Err(Doubt);
        }
        Ok(value)
    }
}

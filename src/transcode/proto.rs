//! The protobuf wire format: varints, tags, records.
//!
//! Source: the encoding page of the protobuf documentation. Reads never go past the slice,
//! never recurse and never allocate.

use smallvec::SmallVec;

/// Groups may stand in groups this deep when they are skipped.
const MAX_GROUP_DEPTH: usize = 100;

/// How the value of a record is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint,
    Fixed64,
    Len,
    StartGroup,
    EndGroup,
    Fixed32,
}

/// The value of one record, undecoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Raw<'w> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Len(&'w [u8]),
    /// What stands between the start and the end tag.
    Group(&'w [u8]),
}

/// The bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    Truncated,
    Varint,
    Tag,
    Group,
}

impl Malformed {
    /// In words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Truncated => "a message is cut off",
            Self::Varint => "a number has more than 64 bits",
            Self::Tag => "a field has no valid tag",
            Self::Group => "a group does not end where it should",
        }
    }
}

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`put_varint`] takes.
pub(crate) fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends the tag of a record.
pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: WireType) {
    let wire_type = match wire_type {
        WireType::Varint => 0,
        WireType::Fixed64 => 1,
        WireType::Len => 2,
        WireType::StartGroup => 3,
        WireType::EndGroup => 4,
        WireType::Fixed32 => 5,
    };
    put_varint(out, u64::from(number) << 3 | wire_type);
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a length-delimited record.
pub(crate) fn put_len_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, WireType::Len);
    put_bytes(out, bytes);
}

/// The number and type that a tag stands for.
pub(crate) fn split_tag(tag: u32) -> Result<(u32, WireType), Malformed> {
    let wire_type = match tag & 7 {
        0 => WireType::Varint,
        1 => WireType::Fixed64,
        2 => WireType::Len,
        3 => WireType::StartGroup,
        4 => WireType::EndGroup,
        5 => WireType::Fixed32,
        _ => return Err(Malformed::Tag),
    };
    if tag >> 3 == 0 {
        return Err(Malformed::Tag);
    }
    Ok((tag >> 3, wire_type))
}

/// Moves the sign to the lowest bit, as `sint64` has it.
pub(crate) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The reverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A place for a length that is not known yet: [`open`](Self::open), append the content, then
/// [`close`](Self::close).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delimited {
    start: usize,
    width: usize,
}

impl Delimited {
    /// Reserves `width` bytes for the length; a wrong guess costs one move of the content.
    pub(crate) fn open(out: &mut Vec<u8>, width: usize) -> Self {
        let start = out.len();
        out.resize(start + width, 0);
        Self { start, width }
    }

    /// Writes the length of what was appended since and says how many bytes it took.
    pub(crate) fn close(self, out: &mut Vec<u8>) -> usize {
        let content = self.start + self.width;
        let len = out.len().saturating_sub(content);
        let width = varint_len(len as u64);
        if width > self.width {
            out.resize(out.len() + width - self.width, 0);
        }
        if width != self.width {
            out.copy_within(content..content + len, self.start + width);
            out.truncate(self.start + width + len);
        }
        let mut value = len as u64;
        for (at, byte) in out.iter_mut().skip(self.start).take(width).enumerate() {
            *byte = value as u8 & 0x7F | if at + 1 < width { 0x80 } else { 0 };
            value >>= 7;
        }
        width
    }
}

/// Reads records off the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'w> {
    rest: &'w [u8],
}

impl<'w> Reader<'w> {
    /// Reads from the start of `bytes`.
    pub(crate) fn new(bytes: &'w [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A varint of at most ten bytes and 64 bits. Most have one byte.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a call costs more than the one byte; see BENCHMARKS.md"
    )]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        if let [low, high @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(low & 0x7F) | u64::from(*high) << 7);
        }
        let mut value = 0_u64;
        for at in 0..10_u32 {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed::Truncated)?;
            self.rest = rest;
            if at == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7F) << (7 * at);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    /// The number and type of the next record.
    pub(crate) fn tag(&mut self) -> Result<(u32, WireType), Malformed> {
        split_tag(self.whole_tag()?)
    }

    /// The next tag as it stands, which may be none.
    #[inline]
    pub(crate) fn whole_tag(&mut self) -> Result<u32, Malformed> {
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u32::from(*byte));
        }
        u32::try_from(self.varint()?).map_err(|_overflow| Malformed::Tag)
    }

    /// Four bytes.
    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// Eight bytes.
    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// A length and that many bytes.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'w [u8], Malformed> {
        let len = self.varint()?;
        let len = usize::try_from(len).map_err(|_overflow| Malformed::Truncated)?;
        let (bytes, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The value behind a tag; of a group, everything up to its end tag.
    pub(crate) fn value(&mut self, number: u32, kind: WireType) -> Result<Raw<'w>, Malformed> {
        Ok(match kind {
            WireType::Varint => Raw::Varint(self.varint()?),
            WireType::Fixed64 => Raw::Fixed64(self.fixed64()?),
            WireType::Fixed32 => Raw::Fixed32(self.fixed32()?),
            WireType::Len => Raw::Len(self.bytes()?),
            WireType::StartGroup => Raw::Group(self.group(number)?),
            WireType::EndGroup => return Err(Malformed::Group),
        })
    }

    /// The content of a group whose start tag was read; its end tag is read too.
    fn group(&mut self, number: u32) -> Result<&'w [u8], Malformed> {
        let content = self.rest;
        let mut open: SmallVec<[u32; 8]> = SmallVec::from_slice(&[number]);
        loop {
            let before = self.rest.len();
            let (number, kind) = self.tag()?;
            match kind {
                WireType::StartGroup => {
                    if open.len() >= MAX_GROUP_DEPTH {
                        return Err(Malformed::Group);
                    }
                    open.push(number);
                }
                WireType::EndGroup => {
                    if open.pop() != Some(number) {
                        return Err(Malformed::Group);
                    }
                    if open.is_empty() {
                        return content
                            .get(..content.len() - before)
                            .ok_or(Malformed::Group);
                    }
                }
                _ => {
                    self.value(number, kind)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_survive_a_round_trip_in_their_shortest_form() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                assert_eq!(Reader::new(&out).varint(), Ok(value));
            }
        }
    }

    #[test]
    fn what_is_no_varint_or_tag_is_refused() {
        assert_eq!(Reader::new(&[0x80]).varint(), Err(Malformed::Truncated));
        assert_eq!(Reader::new(&[0xFF; 10]).varint(), Err(Malformed::Varint));
        assert_eq!(Reader::new(&[0x80, 0x00]).varint(), Ok(0));
        assert_eq!(Reader::new(&[0x00]).tag(), Err(Malformed::Tag));
        assert_eq!(Reader::new(&[0x0E]).tag(), Err(Malformed::Tag));
    }

    #[test]
    fn lengths_are_patched_whatever_was_reserved() {
        for len in [0, 1, 127, 128, 16_383, 16_384] {
            for width in 1..=4 {
                let mut out = b"before".to_vec();
                let delimited = Delimited::open(&mut out, width);
                out.extend(std::iter::repeat_n(7, len));
                assert_eq!(delimited.close(&mut out), varint_len(len as u64));
                let mut reader = Reader::new(&out[6..]);
                assert_eq!(reader.bytes().unwrap(), vec![7; len]);
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn groups_end_at_their_own_tag() {
        let mut reader = Reader::new(&[0x08, 0x01, 0x13, 0x14, 0x0C, 0x08, 0x02]);
        assert_eq!(reader.group(1), Ok(&[0x08, 0x01, 0x13, 0x14][..]));
        assert_eq!(reader.tag(), Ok((1, WireType::Varint)));
        assert_eq!(Reader::new(&[0x14]).group(1), Err(Malformed::Group));
        assert_eq!(Reader::new(&[0x08]).group(1), Err(Malformed::Truncated));
        assert_eq!(
            Reader::new(&[0x0B; 1000]).group(1),
            Err(Malformed::Group),
            "deep groups are refused"
        );
    }

    #[test]
    fn zigzag_is_reversible() {
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        assert_eq!(zigzag(-1), 1);
    }
}

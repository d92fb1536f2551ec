//! Large descriptor sets without most of their source info: [`read`].
//!
//! Three quarters of such a set are comments and the places of things. The place of a rule is shown
//! to users and that of an import may be; all others are given up, so that a problem in a message
//! names its file alone, and reflection describes without comments. Everything else stays as it is,
//! byte by byte, and no more than one file is ever in memory as a whole.

use std::io::{self, BufRead, Read};

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// The field of the files in a set.
const FILE: u32 = 1;
/// The field of the source info in a file.
const SOURCE_INFO: u32 = 9;
/// What of a file keeps its places: package, imports, services, syntax and edition.
const PLACED: [u64; 5] = [2, 3, 6, 12, 14];

/// Reads a set of at most `limit` bytes file by file; nothing when it is not one, or longer. What
/// is wrong with it, those tell who read it whole.
pub(super) fn read(source: impl BufRead, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut source = source.take(limit);
    let (mut set, mut file, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    while !source.fill_buf()?.is_empty() {
        let Some(key) = read_varint(&mut source)? else {
            return Ok(None);
        };
        // Nothing but files stands in a set.
        if key != u64::from(FILE << 3 | WireType::LengthDelimited as u32) {
            return Ok(None);
        }
        let Some(length) = read_varint(&mut source)? else {
            return Ok(None);
        };
        file.clear();
        if source.by_ref().take(length).read_to_end(&mut file)? as u64 != length {
            return Ok(None);
        }
        kept.clear();
        let content = match thin(&file, &mut kept) {
            Some(()) => &kept,
            None => &file,
        };
        put(FILE, content, &mut set);
    }
    // A set of exactly the limit's length may go on.
    Ok((source.limit() > 0).then_some(set))
}

/// The next number, if there is one.
fn read_varint(source: &mut impl Read) -> io::Result<Option<u64>> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        if source.read(&mut byte)? == 0 {
            return Ok(None);
        }
        let [byte] = byte;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Appends a file without the source info that is given up; nothing when it is broken.
fn thin(file: &[u8], out: &mut Vec<u8>) -> Option<()> {
    records(file, |record| {
        if let Some(info) = record.content.filter(|_| record.number == SOURCE_INFO) {
            let mut kept = Vec::new();
            records(info, |location| {
                if location.number == 1 {
                    put_placed(location.content?, &mut kept)?;
                }
                Some(())
            })?;
            put(SOURCE_INFO, &kept, out);
        } else {
            out.extend_from_slice(record.whole);
        }
        Some(())
    })
}

/// Appends a location without its comments, if it is one of those that stay.
fn put_placed(location: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut first = None;
    records(location, |record| {
        if record.number == 1 {
            // Nobody writes a path number by number.
            let mut path = record.content?;
            first = decode_varint(&mut path).ok();
        }
        Some(())
    })?;
    if first.is_some_and(|first| PLACED.contains(&first)) {
        let mut kept = Vec::with_capacity(location.len());
        records(location, |record| {
            if matches!(record.number, 1 | 2) {
                kept.extend_from_slice(record.whole);
            }
            Some(())
        })?;
        put(1, &kept, out);
    }
    Some(())
}

/// Appends a record.
fn put(number: u32, content: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// One field of an encoded message.
struct Record<'a> {
    number: u32,
    /// What it holds, unless that is a number.
    content: Option<&'a [u8]>,
    /// The whole of it.
    whole: &'a [u8],
}

/// Gives every record to `each`; nothing when the message is broken, or of a kind that
/// descriptors are not.
fn records<'a>(message: &'a [u8], mut each: impl FnMut(Record<'a>) -> Option<()>) -> Option<()> {
    let mut rest = message;
    while !rest.is_empty() {
        let begun = rest;
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        let content = match wire_type {
            WireType::Varint => {
                decode_varint(&mut rest).ok()?;
                None
            }
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                let (content, after) = rest.split_at_checked(length)?;
                rest = after;
                Some(content)
            }
            _ => return None,
        };
        let whole = begun.get(..begun.len() - rest.len())?;
        each(Record {
            number,
            content,
            whole,
        })?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::read;
    use crate::schema::descriptor::{
        FileDescriptorProto, FileDescriptorSet, SourceCodeInfo, SourceLocation,
    };

    fn location(path: &[i32], comment: &str) -> SourceLocation {
        SourceLocation {
            path: path.to_vec(),
            span: vec![1, 2, 3],
            leading_comments: Some(comment.to_owned()).filter(|comment| !comment.is_empty()),
            trailing_comments: None,
        }
    }

    fn set(locations: &[SourceLocation]) -> Vec<u8> {
        let info = SourceCodeInfo {
            location: locations.to_vec(),
        };
        let mut other = FileDescriptorProto {
            name: Some("b.proto".to_owned()),
            ..FileDescriptorProto::default()
        }
        .encode_to_vec();
        // A field that nobody knows.
        other.extend([0xfa, 0x07, 2, 1, 2]);
        let file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            package: Some("p".to_owned()),
            source_code_info: Some(info.encode_to_vec().into()),
            edition: Some(1000),
            ..FileDescriptorProto::default()
        };
        let mut set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
        set.extend([0x0a, u8::try_from(other.len()).unwrap()]);
        set.extend(other);
        set
    }

    #[test]
    fn all_but_comments_and_the_places_of_types_stays_as_it_is() {
        let whole = set(&[
            location(&[], " all\n"),
            location(&[4, 0], " a message\n"),
            location(&[6, 0, 2, 1], " a method\n"),
            location(&[3, 0], ""),
        ]);
        let kept = set(&[location(&[6, 0, 2, 1], ""), location(&[3, 0], "")]);
        assert_eq!(read(&*whole, 1_000).unwrap(), Some(kept));
    }

    #[test]
    fn what_is_no_set_or_too_long_is_left_to_others() {
        let whole = set(&[location(&[6, 0], "")]);
        let length = whole.len() as u64;
        assert_eq!(read(&*whole, length + 1).unwrap().as_ref(), Some(&whole));
        assert_eq!(read(&*whole, length).unwrap(), None);
        assert_eq!(read(&*whole, length - 1).unwrap(), None);
        for cut in 1..whole.len() {
            let cut = whole.get(..cut).unwrap();
            let read = read(cut, 1_000).unwrap();
            // Where a file ends, the set may.
            assert!(read.is_none_or(|read| read == cut), "{cut:?}");
        }
        for broken in [&b"\x12\x00"[..], b"syntax", b"\xff"] {
            assert_eq!(read(broken, 1_000).unwrap(), None, "{broken:?}");
        }
        // A broken file is kept, for the compiler of schemas to tell.
        let broken = b"\x0a\x02\x4a\x05";
        assert_eq!(read(&broken[..], 1_000).unwrap(), Some(broken.to_vec()));
    }
}

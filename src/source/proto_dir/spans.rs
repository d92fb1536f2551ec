//! Source info of a linked file: the place of an option moves from its number in the parsed file
//! to the field that it became.
//!
//! prost-reflect does the same, by going through all places for each option: too slow for a file
//! with thousands of options. So it never sees the places of a file that is fine.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use prost_types::{FileDescriptorProto, SourceCodeInfo, UninterpretedOption};

use super::options::{self, UNINTERPRETED, full_name};

/// Appends the source info of `parsed` to the encoded descriptor that it was linked to.
pub(super) fn attach(
    linked: &[u8],
    parsed: &mut FileDescriptorProto,
    pool: &DescriptorPool,
) -> Bytes {
    let Some(mut info) = parsed.source_code_info.take() else {
        return Bytes::copy_from_slice(linked);
    };
    let mut resolved: HashMap<Vec<i32>, Vec<Vec<i32>>> = HashMap::new();
    options::visit(parsed, &mut |place, options| {
        if options.is_empty() {
            return;
        }
        let holder = pool.get_message_by_name(place.kind).or_else(|| {
            // A file that imports no descriptor.proto is linked with the known one as well.
            DescriptorPool::global().get_message_by_name(place.kind)
        });
        let Some(holder) = holder else { return };
        let mut used = HashMap::new();
        let paths = options.iter().map(|option| {
            let mut path = numbers(option, place.scope, &holder, pool);
            if let Some((numbers, true)) = &mut path {
                let index = used.entry(numbers.clone()).or_insert(0);
                numbers.push(*index);
                *index += 1;
            }
            path.map(|(numbers, _)| numbers).unwrap_or_default()
        });
        let paths = paths.collect();
        resolved.insert(place.path.to_vec(), paths);
    });
    rename(&mut info, &resolved);
    encode(linked, &info)
}

/// Replaces `[.., 999, index, ..]` by the field numbers of that option.
fn rename(info: &mut SourceCodeInfo, resolved: &HashMap<Vec<i32>, Vec<Vec<i32>>>) {
    for location in &mut info.location {
        let path = &mut location.path;
        let Some(at) = path.iter().position(|&part| part == UNINTERPRETED) else {
            continue;
        };
        let index = path
            .get(at + 1)
            .and_then(|&index| usize::try_from(index).ok());
        let options = path.get(..at).and_then(|holder| resolved.get(holder));
        if let (Some(index), Some(options)) = (index, options)
            && let Some(numbers) = options.get(index).filter(|numbers| !numbers.is_empty())
        {
            path.splice(at..at + 2, numbers.iter().copied());
        }
    }
}

fn encode(linked: &[u8], info: &SourceCodeInfo) -> Bytes {
    /// The key of `source_code_info`: field 9, with a length.
    const KEY: u8 = 9 << 3 | 2;
    let mut bytes = BytesMut::with_capacity(linked.len() + info.encoded_len() + 11);
    bytes.put_slice(linked);
    bytes.put_u8(KEY);
    prost::encoding::encode_varint(info.encoded_len() as u64, &mut bytes);
    bytes.put_slice(&info.encode_to_vec());
    bytes.freeze()
}

/// The field numbers that the name of an option leads through, and whether the last is a list.
fn numbers(
    option: &UninterpretedOption,
    scope: &str,
    holder: &MessageDescriptor,
    pool: &DescriptorPool,
) -> Option<(Vec<i32>, bool)> {
    let mut message = Some(holder.clone());
    let mut numbers = Vec::with_capacity(option.name.len() + 1);
    let mut is_list = false;
    for part in &option.name {
        let number;
        (number, is_list, message) = if part.is_extension {
            let exists = |name: &str| pool.get_extension_by_name(name).is_some();
            let name = full_name(&part.name_part, scope, exists)?;
            let field = pool.get_extension_by_name(&name)?;
            (
                field.number(),
                field.is_list(),
                field.kind().as_message().cloned(),
            )
        } else {
            let field = message?.get_field_by_name(&part.name_part)?;
            (
                field.number(),
                field.is_list(),
                field.kind().as_message().cloned(),
            )
        };
        numbers.push(i32::try_from(number).ok()?);
    }
    Some((numbers, is_list))
}

//! Descriptors as the compiler of schemas reads them: names are borrowed from the encoded file, and
//! what it asks for of a message, field or enum is all that is read.
//!
//! A large schema has a hundred thousand fields, each with three names that would be copied, twice
//! read and twice thrown away. Services are few, and read as [`descriptor`](super::descriptor) has
//! them.

use prost::Message as _;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use smallvec::{Array, SmallVec};

use super::descriptor::{
    EnumOptions, FeatureSet, FileOptions, MessageOptions, OneofOptions, ServiceDescriptorProto,
};

/// Deeper nesting is refused, as prost does.
const DEEPEST: usize = 100;

/// What cannot be decoded. The text of it is prost's, which reads the file again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// A `FileDescriptorProto`.
#[derive(Debug, Default)]
pub(super) struct File<'a> {
    pub(super) package: &'a str,
    pub(super) dependency: Vec<&'a str>,
    pub(super) message_type: Vec<Message<'a>>,
    pub(super) enum_type: Vec<Enum<'a>>,
    pub(super) service: Vec<ServiceDescriptorProto>,
    pub(super) extension: Vec<Field<'a>>,
    pub(super) options: Option<FileOptions>,
    pub(super) source_code_info: Option<&'a [u8]>,
    pub(super) syntax: &'a str,
    pub(super) edition: Option<i32>,
}

/// A `DescriptorProto`.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    /// Itself, encoded.
    pub(super) bytes: &'a [u8],
    pub(super) name: &'a str,
    pub(super) field: Vec<Field<'a>>,
    pub(super) nested_type: Vec<Self>,
    pub(super) enum_type: Vec<Enum<'a>>,
    pub(super) extension: Vec<Field<'a>>,
    pub(super) options: Option<MessageOptions>,
    pub(super) oneof_decl: Vec<Oneof<'a>>,
}

/// A `FieldDescriptorProto`.
#[derive(Debug, Default)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) extendee: &'a str,
    pub(super) number: i32,
    pub(super) label: Option<i32>,
    pub(super) kind: Option<i32>,
    pub(super) type_name: Option<&'a str>,
    pub(super) oneof_index: Option<i32>,
    pub(super) json_name: &'a str,
    pub(super) proto3_optional: bool,
    pub(super) options: Option<FieldOptions>,
}

/// What the compiler needs of `FieldOptions`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FieldOptions {
    #[prost(bool, optional, tag = "2")]
    pub(super) packed: Option<bool>,
    #[prost(message, optional, tag = "21")]
    pub(super) features: Option<FeatureSet>,
}

/// A `OneofDescriptorProto`.
#[derive(Debug, Default)]
pub(super) struct Oneof<'a> {
    pub(super) name: &'a str,
    pub(super) options: Option<OneofOptions>,
}

/// An `EnumDescriptorProto`.
#[derive(Debug, Default)]
pub(super) struct Enum<'a> {
    /// Itself, encoded.
    pub(super) bytes: &'a [u8],
    pub(super) name: &'a str,
    /// Name and number.
    pub(super) value: Vec<(&'a str, i32)>,
    pub(super) options: Option<EnumOptions>,
}

/// The value of a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Varint(u64),
    Len(&'a [u8]),
    Other,
}

impl<'a> File<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut file = Self::default();
        records(bytes, |number, value| {
            match number {
                // Its name, which is read before everything else.
                1 => drop(value.text()?),
                2 => file.package = value.text()?,
                3 => file.dependency.push(value.text()?),
                4 => {
                    let message = Message::nested(value.len()?, DEEPEST)?;
                    file.message_type.push(message);
                }
                5 => file.enum_type.push(Enum::read(value.len()?)?),
                6 => {
                    let service = ServiceDescriptorProto::decode(value.len()?);
                    file.service.push(service.map_err(|_told_later| Broken)?);
                }
                7 => file.extension.push(Field::read(value.len()?)?),
                8 => merge(&mut file.options, value)?,
                9 => file.source_code_info = Some(value.len()?),
                12 => file.syntax = value.text()?,
                14 => file.edition = Some(value.int()?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(file)
    }
}

impl<'a> Message<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        Self::nested(bytes, DEEPEST)
    }

    /// Reads a message in which others may be nested, so many deep.
    fn nested(bytes: &'a [u8], deeper: usize) -> Result<Self, Broken> {
        let below = deeper.checked_sub(1).ok_or(Broken)?;
        let mut message = Self {
            bytes,
            ..Self::default()
        };
        records(bytes, |number, value| {
            match number {
                1 => message.name = value.text()?,
                2 => message.field.push(Field::read(value.len()?)?),
                3 => {
                    let nested = Self::nested(value.len()?, below)?;
                    message.nested_type.push(nested);
                }
                4 => message.enum_type.push(Enum::read(value.len()?)?),
                6 => message.extension.push(Field::read(value.len()?)?),
                7 => merge(&mut message.options, value)?,
                8 => message.oneof_decl.push(Oneof::read(value.len()?)?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(message)
    }
}

impl<'a> Field<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut field = Self::default();
        records(bytes, |number, value| {
            match number {
                1 => field.name = value.text()?,
                2 => field.extendee = value.text()?,
                3 => field.number = value.int()?,
                4 => field.label = Some(value.int()?),
                5 => field.kind = Some(value.int()?),
                6 => field.type_name = Some(value.text()?),
                // Nobody asks for the default, but it has to be a text.
                7 => drop(value.text()?),
                8 => merge(&mut field.options, value)?,
                9 => field.oneof_index = Some(value.int()?),
                10 => field.json_name = value.text()?,
                17 => field.proto3_optional = value.int()? != 0,
                _ => {}
            }
            Ok(())
        })?;
        Ok(field)
    }

    pub(super) fn type_name(&self) -> &'a str {
        self.type_name.unwrap_or_default()
    }
}

impl<'a> Oneof<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut oneof = Self::default();
        records(bytes, |number, value| {
            match number {
                1 => oneof.name = value.text()?,
                2 => merge(&mut oneof.options, value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(oneof)
    }
}

impl<'a> Enum<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let mut enumeration = Self {
            bytes,
            ..Self::default()
        };
        records(bytes, |number, value| {
            match number {
                1 => enumeration.name = value.text()?,
                2 => enumeration.value.push(enum_value(value.len()?)?),
                3 => merge(&mut enumeration.options, value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(enumeration)
    }
}

fn enum_value(bytes: &[u8]) -> Result<(&str, i32), Broken> {
    let mut read = ("", 0);
    records(bytes, |number, value| {
        match number {
            1 => read.0 = value.text()?,
            2 => read.1 = value.int()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(read)
}

// === impl Value ===

impl<'a> Value<'a> {
    pub(super) fn len(self) -> Result<&'a [u8], Broken> {
        match self {
            Self::Len(bytes) => Ok(bytes),
            Self::Varint(_) | Self::Other => Err(Broken),
        }
    }

    fn text(self) -> Result<&'a str, Broken> {
        std::str::from_utf8(self.len()?).map_err(|_told_later| Broken)
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "an int32 is the low half of what is on the wire"
    )]
    fn int(self) -> Result<i32, Broken> {
        match self {
            Self::Varint(value) => Ok(value as i32),
            Self::Len(_) | Self::Other => Err(Broken),
        }
    }
}

impl Value<'_> {
    /// Adds the numbers of a repeated field, which stand packed or one by one.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "an int32 is the low half of what is on the wire"
    )]
    pub(super) fn ints<A: Array<Item = i32>>(self, to: &mut SmallVec<A>) -> Result<(), Broken> {
        let Self::Len(mut packed) = self else {
            to.push(self.int()?);
            return Ok(());
        };
        while !packed.is_empty() {
            to.push(decode_varint(&mut packed).map_err(|_told_later| Broken)? as i32);
        }
        Ok(())
    }
}

/// Options that stand twice are merged, as all messages are.
fn merge<M: prost::Message + Default>(
    options: &mut Option<M>,
    value: Value<'_>,
) -> Result<(), Broken> {
    let options = options.get_or_insert_default();
    options.merge(value.len()?).map_err(|_told_later| Broken)
}

/// Gives every record of a message to `each`: its number and what it holds.
pub(super) fn records<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(u32, Value<'a>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).map_err(|_told_later| Broken)?;
        let value = match wire_type {
            WireType::Varint => {
                Value::Varint(decode_varint(&mut rest).map_err(|_told_later| Broken)?)
            }
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest).map_err(|_told_later| Broken)?;
                let length = usize::try_from(length).map_err(|_told_later| Broken)?;
                let (content, after) = rest.split_at_checked(length).ok_or(Broken)?;
                rest = after;
                Value::Len(content)
            }
            other => {
                skip_field(other, number, &mut rest, DecodeContext::default())
                    .map_err(|_told_later| Broken)?;
                Value::Other
            }
        };
        each(number, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::{DEEPEST, File, Message};
    use crate::schema::descriptor::{DescriptorProto, FileDescriptorProto};
    use crate::source::known;

    /// The names and numbers of a message and all that is nested in it.
    fn told(message: &Message<'_>) -> String {
        let fields = message.field.iter().map(|field| {
            let (kind, label, oneof) = (field.kind, field.label, field.oneof_index);
            let names = (field.name, field.json_name, field.type_name());
            format!("{names:?} {} {kind:?} {label:?} {oneof:?}", field.number)
        });
        let nested = message.nested_type.iter().map(told);
        let enums = message.enum_type.iter();
        let enums = enums.map(|own| format!("{} {:?}", own.name, own.value));
        let all: Vec<String> = fields.chain(nested).chain(enums).collect();
        format!(
            "{} {:?} [{}]",
            message.name,
            message.options,
            all.join(", ")
        )
    }

    fn told_by_prost(message: &DescriptorProto) -> String {
        let fields = message.field.iter().map(|field| {
            let (kind, label, oneof) = (field.r#type, field.label, field.oneof_index);
            let names = (field.name(), field.json_name(), field.type_name());
            format!("{names:?} {} {kind:?} {label:?} {oneof:?}", field.number())
        });
        let nested = message.nested_type.iter().map(told_by_prost);
        let enums = message.enum_type.iter().map(|own| {
            let values = own.value.iter().map(|value| (value.name(), value.number()));
            format!("{} {:?}", own.name(), values.collect::<Vec<_>>())
        });
        let all: Vec<String> = fields.chain(nested).chain(enums).collect();
        let (name, options) = (message.name(), &message.options);
        format!("{name} {options:?} [{}]", all.join(", "))
    }

    /// What prost reads is read, and as prost reads it. It may refuse what nobody asks for.
    fn agree(bytes: &[u8]) {
        let Ok(theirs) = FileDescriptorProto::decode(bytes) else {
            return;
        };
        let ours = File::read(bytes).expect("prost reads it");
        assert_eq!(ours.package, theirs.package());
        assert_eq!(ours.dependency, theirs.dependency);
        assert_eq!(ours.service, theirs.service);
        assert_eq!(ours.options, theirs.options);
        assert_eq!(ours.source_code_info, theirs.source_code_info.as_deref());
        assert_eq!(
            (ours.syntax, ours.edition),
            (theirs.syntax(), theirs.edition)
        );
        assert_eq!(ours.enum_type.len(), theirs.enum_type.len());
        assert_eq!(ours.extension.len(), theirs.extension.len());
        let ours: Vec<String> = ours.message_type.iter().map(told).collect();
        let theirs: Vec<String> = theirs.message_type.iter().map(told_by_prost).collect();
        assert_eq!(ours, theirs);
    }

    fn sample() -> Vec<u8> {
        let name = "google/rpc/context/attribute_context.proto";
        known::descriptor(name).expect("it is built in").to_vec()
    }

    #[test]
    fn files_are_read_as_prost_reads_them() {
        for file in crate::schema::builtin::FILES {
            agree(&known::descriptor(file.name).expect("it is built in"));
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused_as_by_prost() {
        for depth in [DEEPEST - 1, DEEPEST, DEEPEST + 1] {
            let mut message = DescriptorProto::default();
            for _ in 1..depth {
                message = DescriptorProto {
                    nested_type: vec![message],
                    ..DescriptorProto::default()
                };
            }
            let file = FileDescriptorProto {
                message_type: vec![message],
                ..FileDescriptorProto::default()
            };
            let bytes = file.encode_to_vec();
            agree(&bytes);
            let refused = FileDescriptorProto::decode(&*bytes).is_err();
            assert_eq!(File::read(&bytes).is_err(), refused, "{depth}");
            assert_eq!(refused, depth > DEEPEST);
        }
    }

    #[test]
    fn what_is_cut_off_or_no_text_is_refused() {
        let bytes = sample();
        assert!(File::read(&bytes).is_ok());
        assert!(File::read(&bytes[..bytes.len() - 1]).is_err());
        for broken in [
            &b"\x12\x01\xff"[..],
            b"\x10\x01",
            b"\x22\x03\x0a\x01\xff",
            b"\x07",
        ] {
            assert!(File::read(broken).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_prost_reads_is_read(at in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = sample();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            agree(&bytes);
            bytes.truncate(at);
            agree(&bytes);
        }
    }
}

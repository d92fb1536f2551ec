//! Random schemas, sound by construction: a proto3 file and a proto2 file that imports it, with
//! nested and recursive messages, groups, extensions, oneofs, maps of every key, open and closed
//! enums with aliases, packed and unpacked lists, names of every style and well-known types.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::descriptor_proto::ExtensionRange;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumOptions, EnumValueDescriptorProto,
    FieldDescriptorProto, FieldOptions, FileDescriptorProto, MessageOptions, OneofDescriptorProto,
};

use super::values::Entropy;
use crate::schema::Schema;
use crate::schema::compile::{Input, Services, SourceFile, compile};
use crate::schema::tests::{shown, source_files};

/// The types every random schema may use, by the files that declare them.
const KNOWN: [(&str, &[&str]); 6] = [
    ("any", &["Any"]),
    ("duration", &["Duration"]),
    ("field_mask", &["FieldMask"]),
    ("struct", &["Struct", "Value", "ListValue"]),
    ("timestamp", &["Timestamp"]),
    (
        "wrappers",
        &[
            "Int32Value",
            "StringValue",
            "DoubleValue",
            "BytesValue",
            "UInt64Value",
        ],
    ),
];
const SCALARS: [Type; 15] = [
    Type::Double,
    Type::Float,
    Type::Int64,
    Type::Uint64,
    Type::Int32,
    Type::Fixed64,
    Type::Fixed32,
    Type::Bool,
    Type::String,
    Type::Bytes,
    Type::Uint32,
    Type::Sfixed32,
    Type::Sfixed64,
    Type::Sint32,
    Type::Sint64,
];
const KEYS: [Type; 12] = [
    Type::String,
    Type::Int32,
    Type::Int64,
    Type::Uint32,
    Type::Uint64,
    Type::Sint32,
    Type::Sint64,
    Type::Fixed32,
    Type::Fixed64,
    Type::Sfixed32,
    Type::Sfixed64,
    Type::Bool,
];
const FIRST_EXTENSION: i32 = 100_000;

fn known_file(name: &str) -> String {
    format!("google/protobuf/{name}.proto")
}

static IMPORTS: LazyLock<Vec<SourceFile>> = LazyLock::new(|| {
    let imports: String = KNOWN
        .iter()
        .map(|(file, _)| format!("import \"{}\";\n", known_file(file)))
        .collect();
    let text = format!("syntax = \"proto3\";\n{imports}");
    let mut files = source_files(&[("all.proto", &text)]);
    files.retain(|file| &*file.origin != "all.proto");
    files
});

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut pool = DescriptorPool::new();
    for file in IMPORTS.iter() {
        pool.decode_file_descriptor_proto(file.bytes.clone())
            .unwrap();
    }
    pool
});

/// A random schema, both ways, and the full names of its messages.
pub(super) struct Made {
    pub(super) schema: Schema,
    pub(super) pool: DescriptorPool,
    pub(super) names: Vec<String>,
}

/// Makes a schema; neither side may find anything wrong with it.
pub(super) fn make(entropy: &mut Entropy<'_>) -> Made {
    let mut maker = Maker::default();
    let files = [maker.file("new", entropy), maker.file("old", entropy)];
    let mut pool = POOL.clone();
    let mut input = Input {
        files: IMPORTS.clone(),
        ..Input::default()
    };
    for file in &files {
        let bytes = Bytes::from(file.encode_to_vec());
        pool.decode_file_descriptor_proto(bytes.clone())
            .unwrap_or_else(|error| panic!("{error:?}\n{file:#?}"));
        input.files.push(SourceFile {
            bytes,
            origin: file.name().into(),
            services: Services::All,
        });
    }
    let (schema, problems) = compile(&input);
    assert!(problems.is_empty(), "{}\n{files:#?}", shown(&problems));
    Made {
        schema,
        pool,
        names: maker.names,
    }
}

/// What is declared so far.
#[derive(Default)]
struct Maker {
    old: bool,
    package: &'static str,
    /// Full names without a leading dot, of messages that may be referred to.
    names: Vec<String>,
    /// Full names of enums and whether their first value is 0.
    enums: Vec<String>,
    /// Makes every name of a file its own.
    serial: usize,
}

impl Maker {
    fn file(&mut self, package: &'static str, entropy: &mut Entropy<'_>) -> FileDescriptorProto {
        self.package = package;
        self.old = package == "old";
        let known = KNOWN.iter().map(|(file, _)| known_file(file));
        let mut file = FileDescriptorProto {
            name: Some(format!("{package}.proto")),
            package: Some(package.to_owned()),
            dependency: known.collect(),
            syntax: (!self.old).then(|| "proto3".to_owned()),
            ..FileDescriptorProto::default()
        };
        if self.old {
            file.dependency.push("new.proto".to_owned());
        }
        for index in 0..=entropy.below(2) {
            file.enum_type
                .push(self.enumeration(&format!("E{index}"), entropy));
            self.enums.push(format!("{package}.E{index}"));
        }
        // Messages may refer to each other in any order, so their names come first.
        let count = 1 + entropy.below(3);
        let own: Vec<String> = (0..count)
            .map(|index| format!("{package}.M{index}"))
            .collect();
        self.names.extend(own.iter().cloned());
        for index in 0..count {
            file.message_type
                .push(self.message(&format!("M{index}"), entropy));
        }
        if self.old {
            for (number, extendee) in (FIRST_EXTENSION..).zip(&own) {
                let mut field = self.field(number, entropy);
                if field.label() == Label::Required {
                    field.label = Some(Label::Optional.into());
                }
                field.extendee = Some(format!(".{extendee}"));
                file.extension.push(field);
            }
        }
        file
    }

    fn enumeration(&mut self, name: &str, entropy: &mut Entropy<'_>) -> EnumDescriptorProto {
        let mut numbers = vec![if self.old {
            entropy.pick(&[0, 1, -1])
        } else {
            0
        }];
        let more = [1, 2, 127, 128, 255, -1, -2, i32::MAX, i32::MIN];
        for _ in 0..entropy.below(5) {
            numbers.push(entropy.pick(&more));
        }
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let aliased = sorted.windows(2).any(|pair| pair[0] == pair[1]);
        let value = (0..).zip(numbers).map(|(index, number): (usize, i32)| {
            let name = match index % 3 {
                0 => format!("{name}_V{index}"),
                1 => format!("{}_lower_{index}", name.to_lowercase()),
                _ => format!("{name}Value{index}"),
            };
            EnumValueDescriptorProto {
                name: Some(name),
                number: Some(number),
                options: None,
            }
        });
        EnumDescriptorProto {
            name: Some(name.to_owned()),
            value: value.collect(),
            options: aliased.then(|| EnumOptions {
                allow_alias: Some(true),
                ..EnumOptions::default()
            }),
            ..EnumDescriptorProto::default()
        }
    }

    fn message(&mut self, name: &str, entropy: &mut Entropy<'_>) -> DescriptorProto {
        let full = format!("{}.{name}", self.package);
        let mut made = DescriptorProto {
            name: Some(name.to_owned()),
            ..DescriptorProto::default()
        };
        let most = if entropy.below(8) == 1 { 80 } else { 9 };
        let count = 1 + entropy.below(most);
        let oneofs = entropy.below(3);
        let mut number = 0;
        for _ in 0..count {
            number += 1 + entropy.pick(&[0, 0, 0, 0, 1, 14, 240, 3_000]);
            if (19_000..20_000).contains(&number) {
                number = 20_000;
            }
            let mut field = self.field(number, entropy);
            match entropy.below(8) {
                0 => make_map(&full, &mut made, &mut field, entropy),
                1 if self.old => self.make_group(&full, &mut made, &mut field, entropy),
                2 if oneofs > 0 => field.oneof_index = i32::try_from(entropy.below(oneofs)).ok(),
                3 if !self.old && field.label() == Label::Optional => {
                    field.proto3_optional = Some(true);
                }
                _ => {}
            }
            if field.oneof_index.is_some() {
                field.label = Some(Label::Optional.into());
                field.options = None;
            }
            made.field.push(field);
        }
        number_oneofs(&mut made, oneofs);
        if self.old {
            made.extension_range.push(ExtensionRange {
                start: Some(FIRST_EXTENSION),
                end: Some(1 << 29),
                options: None,
            });
        }
        made
    }

    /// A field of any type and label, of no oneof.
    fn field(&mut self, number: i32, entropy: &mut Entropy<'_>) -> FieldDescriptorProto {
        self.serial += 1;
        let serial = self.serial;
        let name = match entropy.below(6) {
            0 => format!("f{serial}"),
            1 => format!("foo_bar_{serial}"),
            2 => format!("Upper{serial}"),
            3 => format!("x__y{serial}_z"),
            4 => format!("_lead{serial}"),
            _ => format!("camelCase{serial}_Tail"),
        };
        let label = match entropy.below(3) {
            0 => Label::Repeated,
            1 if self.old && entropy.below(8) == 1 => Label::Required,
            _ => Label::Optional,
        };
        let mut field = FieldDescriptorProto {
            name: Some(name),
            number: Some(number),
            label: Some(label.into()),
            ..FieldDescriptorProto::default()
        };
        self.choose_type(&mut field, entropy);
        if field.label() == Label::Required && field.r#type() == Type::Message {
            field.label = Some(Label::Optional.into());
        }
        let packable = !matches!(
            field.r#type(),
            Type::String | Type::Bytes | Type::Message | Type::Group
        );
        if packable && label == Label::Repeated {
            field.options = entropy
                .pick(&[None, Some(true), Some(false)])
                .map(|packed| FieldOptions {
                    packed: Some(packed),
                    ..FieldOptions::default()
                });
        }
        if entropy.below(6) == 1 {
            let style = entropy.pick(&["my \"name\"", "\u{FC}", "@", "snake_case", "a.b", "[x]"]);
            field.json_name = Some(format!("{style}{serial}"));
        }
        field
    }

    fn choose_type(&mut self, field: &mut FieldDescriptorProto, entropy: &mut Entropy<'_>) {
        let (kind, name) = match entropy.below(8) {
            0 => (
                Type::Message,
                Some(self.names[entropy.below(self.names.len())].clone()),
            ),
            1 => {
                let (_, types) = entropy.pick(&KNOWN);
                (
                    Type::Message,
                    Some(format!("google.protobuf.{}", entropy.pick(types))),
                )
            }
            2 => (
                Type::Enum,
                Some(self.enums[entropy.below(self.enums.len())].clone()),
            ),
            _ => (entropy.pick(&SCALARS), None),
        };
        field.r#type = Some(kind.into());
        field.type_name = name.map(|name| format!(".{name}"));
    }

    fn make_group(
        &mut self,
        full: &str,
        made: &mut DescriptorProto,
        field: &mut FieldDescriptorProto,
        entropy: &mut Entropy<'_>,
    ) {
        let name = format!("Grp{}", self.serial);
        let mut inner = DescriptorProto {
            name: Some(name.clone()),
            ..DescriptorProto::default()
        };
        for number in 1..=1 + i32::try_from(entropy.below(3)).unwrap_or(0) {
            inner.field.push(self.field(number, entropy));
        }
        made.nested_type.push(inner);
        field.name = Some(name.to_lowercase());
        field.r#type = Some(Type::Group.into());
        field.type_name = Some(format!(".{full}.{name}"));
        field.options = None;
        if field.label() == Label::Required {
            field.label = Some(Label::Optional.into());
        }
        self.names.push(format!("{full}.{name}"));
    }
}

fn make_map(
    full: &str,
    made: &mut DescriptorProto,
    field: &mut FieldDescriptorProto,
    entropy: &mut Entropy<'_>,
) {
    let entry = format!("{}Entry", upper_camel(field.name()));
    let part = |name: &str, number| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        ..FieldDescriptorProto::default()
    };
    let mut key = part("key", 1);
    key.r#type = Some(entropy.pick(&KEYS).into());
    let mut value = part("value", 2);
    value.r#type = field.r#type;
    value.type_name = field.type_name.take();
    made.nested_type.push(DescriptorProto {
        name: Some(entry.clone()),
        field: vec![key, value],
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..DescriptorProto::default()
    });
    field.label = Some(Label::Repeated.into());
    field.r#type = Some(Type::Message.into());
    field.type_name = Some(format!(".{full}.{entry}"));
    field.options = None;
}

/// Declares the oneofs that have members, then the synthetic ones.
fn number_oneofs(made: &mut DescriptorProto, most: usize) {
    let mut declared = 0;
    for oneof in (0..).take(most) {
        let mut any = false;
        for field in made
            .field
            .iter_mut()
            .filter(|field| field.oneof_index == Some(oneof))
        {
            field.oneof_index = Some(declared);
            any = true;
        }
        if any {
            made.oneof_decl.push(named(format!("choice_{declared}")));
            declared += 1;
        }
    }
    for field in made
        .field
        .iter_mut()
        .filter(|field| field.proto3_optional())
    {
        field.oneof_index = Some(declared);
        declared += 1;
        made.oneof_decl.push(named(format!("_of_{}", field.name())));
    }
}

fn named(name: String) -> OneofDescriptorProto {
    OneofDescriptorProto {
        name: Some(name),
        options: None,
    }
}

fn upper_camel(name: &str) -> String {
    let mut upper = true;
    let mut out = String::new();
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            out.extend(letter.to_uppercase());
        } else {
            out.push(letter);
        }
    }
    out
}

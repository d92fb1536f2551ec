//! A schema of any size, as an encoded descriptor set.

use prost::Message;
use sidegate::schema::descriptor::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, HttpPattern, HttpRule, Label, MethodDescriptorProto,
    MethodOptions, ServiceDescriptorProto, Type,
};

/// A GET that is in every generated schema.
pub(crate) const PATH: &str = "/v1/things0/7";

const MESSAGES_OF_A_FILE: usize = 100;
/// Every so manieth message is what a method takes and gives.
const METHOD_EVERY: usize = 10;
const WORDS: [&str; 12] = [
    "display", "owner", "create", "region", "quota", "label", "network", "policy", "state",
    "volume", "target", "update",
];
const TYPES: [Type; 8] = [
    Type::String,
    Type::Int64,
    Type::Message,
    Type::Bool,
    Type::Enum,
    Type::Double,
    Type::String,
    Type::Bytes,
];

/// So many messages of so many fields each, a method for every tenth, in files of a hundred.
pub(crate) fn set(messages: usize, fields: usize) -> Vec<u8> {
    let files = (0..messages.div_ceil(MESSAGES_OF_A_FILE))
        .map(|number| file(number, messages, fields))
        .collect();
    FileDescriptorSet { file: files }.encode_to_vec()
}

fn file(number: usize, messages: usize, fields: usize) -> FileDescriptorProto {
    let from = number * MESSAGES_OF_A_FILE;
    let own = from..messages.min(from + MESSAGES_OF_A_FILE);
    let methods = own.clone().step_by(METHOD_EVERY).map(method).collect();
    FileDescriptorProto {
        name: Some(format!("bench/large/v1/file_{number}.proto")),
        package: Some(package(number)),
        // What is referred to is in the file before.
        dependency: number
            .checked_sub(1)
            .map(|before| format!("bench/large/v1/file_{before}.proto"))
            .into_iter()
            .collect(),
        message_type: own.map(|number| message(number, fields)).collect(),
        enum_type: vec![enumeration()],
        service: vec![ServiceDescriptorProto {
            name: Some("Things".to_owned()),
            method: methods,
            options: None,
        }],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

fn package(file: usize) -> String {
    format!("bench.large.v1.part{file}")
}

fn full_name(message: usize) -> String {
    let package = package(message / MESSAGES_OF_A_FILE);
    format!(".{package}.Thing{message}")
}

fn message(number: usize, fields: usize) -> DescriptorProto {
    DescriptorProto {
        name: Some(format!("Thing{number}")),
        field: (0..fields).map(|at| field(number, at)).collect(),
        ..DescriptorProto::default()
    }
}

fn field(message: usize, at: usize) -> FieldDescriptorProto {
    let word = |at: usize| WORDS.get(at % WORDS.len()).copied().unwrap_or_default();
    let kind = TYPES.get(at % TYPES.len()).copied().unwrap_or(Type::String);
    let name = match at {
        0 => "id".to_owned(),
        _ => format!(
            "{}_{}_{}",
            word(at),
            word(message / 3 + at * 5),
            message % 50 + at
        ),
    };
    let repeated = at % 7 == 6;
    FieldDescriptorProto {
        json_name: Some(camel(&name)),
        name: Some(name),
        number: i32::try_from(at + 1).ok(),
        label: Some(if repeated {
            Label::Repeated
        } else {
            Label::Optional
        } as i32),
        r#type: Some(kind as i32),
        type_name: match kind {
            Type::Message => Some(full_name(message.saturating_sub(at * 3))),
            Type::Enum => {
                let package = package(message / MESSAGES_OF_A_FILE);
                Some(format!(".{package}.State"))
            }
            _ => None,
        },
        ..FieldDescriptorProto::default()
    }
}

/// The JSON name as protoc derives it; compilers write it down.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut json = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        json.push_str(&first.to_uppercase());
        json.push_str(rest);
    }
    json
}

fn enumeration() -> EnumDescriptorProto {
    let value = |number: i32| EnumValueDescriptorProto {
        name: Some(format!("STATE_NUMBER_{number}")),
        number: Some(number),
    };
    EnumDescriptorProto {
        name: Some("State".to_owned()),
        value: (0..6).map(value).collect(),
        options: None,
    }
}

fn method(message: usize) -> MethodDescriptorProto {
    let http = HttpRule {
        pattern: Some(HttpPattern::Get(format!("/v1/things{message}/{{id}}"))),
        ..HttpRule::default()
    };
    MethodDescriptorProto {
        name: Some(format!("GetThing{message}")),
        input_type: Some(full_name(message)),
        output_type: Some(full_name(message)),
        options: Some(MethodOptions {
            http: Some(http),
            ..MethodOptions::default()
        }),
        ..MethodDescriptorProto::default()
    }
}

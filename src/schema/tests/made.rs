//! Descriptors made by hand, which no compiler had to accept.

use super::{raw_input, shown};
use crate::schema::Schema;
use crate::schema::compile::compile;
use crate::schema::descriptor::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, Label, MethodDescriptorProto,
    ServiceDescriptorProto, Type,
};

pub(super) fn field(
    name: &str,
    number: i32,
    kind: Type,
    type_name: Option<&str>,
) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind as i32),
        label: Some(Label::Optional as i32),
        type_name: type_name.map(str::to_owned),
        ..FieldDescriptorProto::default()
    }
}

pub(super) fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.to_owned()),
        field,
        ..DescriptorProto::default()
    }
}

pub(super) fn service(name: &str, methods: &[(&str, &str, &str)]) -> ServiceDescriptorProto {
    let methods = methods
        .iter()
        .map(|(name, input, output)| MethodDescriptorProto {
            name: Some((*name).to_owned()),
            input_type: Some((*input).to_owned()),
            output_type: Some((*output).to_owned()),
            ..MethodDescriptorProto::default()
        });
    ServiceDescriptorProto {
        name: Some(name.to_owned()),
        method: methods.collect(),
        options: None,
    }
}

/// `a.proto` in package `p`, proto3.
pub(super) fn file(
    messages: Vec<DescriptorProto>,
    services: Vec<ServiceDescriptorProto>,
) -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some("a.proto".to_owned()),
        package: Some("p".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: messages,
        service: services,
        ..FileDescriptorProto::default()
    }
}

pub(super) fn compiled(files: &[FileDescriptorProto]) -> (Schema, String) {
    let (schema, problems) = compile(&raw_input(files));
    (schema, shown(&problems))
}

pub(super) fn paths(schema: &Schema) -> Vec<&str> {
    schema.methods.iter().map(|method| &*method.path).collect()
}

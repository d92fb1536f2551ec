//! Schemas of tests: proto snippets, compiled here so that messages can be judged without the
//! product's own codec.

use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, Value as ReflectValue,
};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::Value;

/// What a snippet that does not begin with `syntax` gets put before it.
const HEAD: &str = r#"syntax = "proto3";
package t;
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
"#;

/// A compiled snippet.
#[derive(Clone, Debug)]
pub(crate) struct TestSchema {
    /// The complete text of the file, as a gateway gets it.
    pub(crate) text: String,
    /// The same as a serialized `FileDescriptorSet`, with all that it imports.
    pub(crate) descriptor_set: Vec<u8>,
    pool: DescriptorPool,
}

impl TestSchema {
    /// Compiles a snippet, or says what is wrong with it.
    pub(crate) fn compile(snippet: &str) -> Result<Self, String> {
        let complete = snippet.trim_start().starts_with("syntax");
        let text = if complete {
            snippet.to_owned()
        } else {
            format!("{HEAD}\n{snippet}")
        };
        let mut resolver = ChainFileResolver::new();
        resolver.add(OneFile(text.clone()));
        resolver.add(Builtin);
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        // The gateway knows the types of error details whether a schema imports them or not.
        for name in [
            OneFile::NAME,
            "google/rpc/error_details.proto",
            "google/rpc/status.proto",
        ] {
            compiler
                .open_file(name)
                .map_err(|error| format!("{error:?}\n{text}"))?;
        }
        let descriptor_set = compiler.encode_file_descriptor_set();
        let pool =
            DescriptorPool::decode(descriptor_set.as_slice()).map_err(|error| error.to_string())?;
        Ok(Self {
            text,
            descriptor_set,
            pool,
        })
    }

    /// The full names of the services.
    pub(crate) fn services(&self) -> Vec<String> {
        self.pool
            .services()
            .map(|service| service.full_name().to_owned())
            .collect()
    }

    /// The descriptor set without the options of some methods, which are given by full name.
    pub(crate) fn without_rules(&self, methods: &[String]) -> Result<Vec<u8>, String> {
        use prost::Message;
        let kind = self.message("google.protobuf.FileDescriptorSet")?;
        let mut set = DynamicMessage::decode(kind, self.descriptor_set.as_slice())
            .map_err(|error| error.to_string())?;
        for file in messages_in(&mut set, "file") {
            let package = file.get_field_by_name("package");
            let package = package.and_then(|name| Some(name.as_str()?.to_owned()));
            for service in messages_in(file, "service") {
                let name = name_of(service);
                for method in messages_in(service, "method") {
                    let parts = [
                        package.clone().unwrap_or_default(),
                        name.clone(),
                        name_of(method),
                    ];
                    if methods.contains(&parts.join(".")) {
                        method.clear_field_by_name("options");
                    }
                }
            }
        }
        Ok(set.encode_to_vec())
    }

    /// A method by `Method`, `Service/Method` or `pkg.Service/Method`.
    pub(crate) fn method(&self, name: &str) -> Result<MethodDescriptor, String> {
        let (service, method) = name.rsplit_once('/').unwrap_or(("", name));
        self.pool
            .services()
            .filter(|found| {
                service.is_empty() || found.name() == service || found.full_name() == service
            })
            .flat_map(|found| found.methods().collect::<Vec<_>>())
            .find(|found| found.name() == method)
            .ok_or_else(|| format!("the case names the method {name}, which its schema lacks"))
    }

    /// A message type by its full name.
    pub(crate) fn message(&self, full_name: &str) -> Result<MessageDescriptor, String> {
        self.pool.get_message_by_name(full_name).ok_or_else(|| {
            format!("the case names the message {full_name}, which its schema lacks")
        })
    }
}

fn messages_in<'a>(
    message: &'a mut DynamicMessage,
    field: &str,
) -> impl Iterator<Item = &'a mut DynamicMessage> {
    let list = message
        .get_field_by_name_mut(field)
        .and_then(ReflectValue::as_list_mut);
    let list = list.map_or_else(Default::default, |list| list.iter_mut());
    list.filter_map(ReflectValue::as_message_mut)
}

fn name_of(message: &DynamicMessage) -> String {
    let name = message.get_field_by_name("name");
    name.and_then(|name| Some(name.as_str()?.to_owned()))
        .unwrap_or_default()
}

/// A message of a case: JSON, JSON in a text as `{$json: '{"a":1}'}`, or the exact bytes as
/// `{$wire: "0a 01 61"}`.
pub(crate) fn message_bytes(kind: &MessageDescriptor, value: &Value) -> Result<Vec<u8>, String> {
    use prost::Message;
    if let Some(hex) = wire_of(value) {
        return from_hex(hex);
    }
    Ok(message_of(kind, value)?.encode_to_vec())
}

/// Whether `bytes` are the message that a case expects; says how they differ. Bytes that mean the
/// same are the same when `loosely`.
pub(crate) fn compare(
    kind: &MessageDescriptor,
    expected: &Value,
    bytes: &[u8],
    loosely: bool,
) -> Result<(), String> {
    if let Some(hex) = wire_of(expected) {
        let wanted = from_hex(hex)?;
        let read = |bytes: &[u8]| {
            let read = DynamicMessage::decode(kind.clone(), bytes).ok()?;
            serde_json::to_string(&read).ok()
        };
        let same_meaning = loosely && read(&wanted).is_some() && read(&wanted) == read(bytes);
        return if wanted == bytes || same_meaning {
            Ok(())
        } else {
            Err(format!(
                "expected the bytes {}\n     got       {}",
                to_hex(&wanted),
                to_hex(bytes)
            ))
        };
    }
    let wanted = message_of(kind, expected)?;
    let got = DynamicMessage::decode(kind.clone(), bytes)
        .map_err(|error| format!("{} is no {}: {error}", to_hex(bytes), kind.full_name()))?;
    // A default that stands on the wire means what a missing one means, and JSON shows neither.
    let shown = |message: &DynamicMessage| serde_json::to_value(message).unwrap_or_default();
    if wanted == got || shown(&wanted) == shown(&got) {
        return Ok(());
    }
    Err(format!(
        "expected {expected}\n     got       {} ({})",
        shown(&got),
        to_hex(bytes)
    ))
}

fn message_of(kind: &MessageDescriptor, value: &Value) -> Result<DynamicMessage, String> {
    let parsed;
    let value = match value.get("$json").and_then(Value::as_str) {
        Some(text) => {
            parsed = serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))?;
            &parsed
        }
        None => value,
    };
    DynamicMessage::deserialize(kind.clone(), value)
        .map_err(|error| format!("{value} in the case is no {}: {error}", kind.full_name()))
}

fn wire_of(value: &Value) -> Option<&str> {
    value.as_object()?.get("$wire")?.as_str()
}

/// Bytes from hexadecimal digits, white space skipped.
pub(crate) fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: String = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(digits.as_bytes())
        .map_err(|error| format!("{text:?} is not hexadecimal: {error}"))
}

/// Bytes as hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[derive(Debug)]
struct OneFile(String);

impl OneFile {
    const NAME: &'static str = "case.proto";
}

impl FileResolver for OneFile {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == Self::NAME {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

#[derive(Debug)]
struct Builtin;

impl FileResolver for Builtin {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match sidegate::schema::builtin::find(name) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

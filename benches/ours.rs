//! The codec as the benchmarks call it: one message type, both ways.

use std::cell::RefCell;

use prost::Message as _;
use sidegate::schema::Schema;
use sidegate::schema::binding::BodyTarget;
use sidegate::schema::compile::{Input, Services, SourceFile, compile};
use sidegate::schema::plan::MessageId;
use sidegate::schema::policy::JsonOptions;
use sidegate::transcode::bind::Bound;
use sidegate::transcode::{json_to_wire, wire_to_json};

const LIMIT: usize = 64 << 20;

/// The files of the benchmarks, linked; `directory` is where they are.
pub(crate) fn compiled(directory: &str) -> prost_types::FileDescriptorSet {
    protox::compile(["codec.proto", "any.proto"], [directory]).expect("the files are sound")
}

/// The schema of those files.
pub(crate) fn schema(set: &prost_types::FileDescriptorSet) -> Schema {
    let files = set.file.iter().map(|file| SourceFile {
        bytes: file.encode_to_vec().into(),
        origin: file.name().into(),
        services: Services::All,
    });
    let (schema, problems) = compile(&Input {
        files: files.collect(),
        ..Input::default()
    });
    assert!(problems.is_empty(), "{problems:?}");
    schema
}

/// One message type.
pub(crate) struct Codec<'s> {
    schema: &'s Schema,
    message: MessageId,
    bound: Bound,
    options: JsonOptions,
    scratch: RefCell<wire_to_json::Scratch>,
}

impl<'s> Codec<'s> {
    pub(crate) fn new(schema: &'s Schema, name: &str) -> Self {
        Self {
            schema,
            message: schema
                .tables
                .find_message(name)
                .expect("the files have the type"),
            bound: Bound::default(),
            options: JsonOptions::default(),
            scratch: RefCell::default(),
        }
    }

    pub(crate) fn request(&self) -> json_to_wire::Request<'_> {
        json_to_wire::Request {
            tables: &self.schema.tables,
            message: self.message,
            target: &BodyTarget::Whole,
            bound: &self.bound,
            options: &self.options,
            limit: LIMIT,
        }
    }

    pub(crate) fn response(&self) -> wire_to_json::Response<'_> {
        wire_to_json::Response {
            tables: &self.schema.tables,
            message: self.message,
            selection: None,
            options: &self.options,
            limit: LIMIT,
        }
    }

    pub(crate) fn to_wire(&self, json: &str, out: &mut Vec<u8>) {
        out.clear();
        json_to_wire::transcode(&self.request(), json.as_bytes(), out).expect("the JSON is sound");
    }

    pub(crate) fn to_json(&self, wire: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let mut scratch = self.scratch.borrow_mut();
        wire_to_json::transcode_with(&mut scratch, &self.response(), wire, out)
            .expect("it has a JSON form");
    }
}

//! `schema`: where the schema comes from.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::PeriodOrOff;

/// Where the schema comes from.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct SchemaSettings {
    /// `.proto` files and directories of them (searched with their subdirectories). Not set:
    /// `proto` in the working directory, when it exists.
    pub proto: Option<Vec<PathBuf>>,

    /// More directories where imports are looked for. The usual imports of Google, gRPC and the
    /// validators are built in.
    pub include: Vec<PathBuf>,

    /// Files with a `FileDescriptorSet`, as `protoc --include_imports -o FILE` or `buf build -o
    /// FILE` makes them.
    pub descriptor_sets: Vec<PathBuf>,

    /// Whether the application is asked by server reflection.
    pub reflection: Reflection,

    /// How often reflection is asked again while the application is up. It is asked after every
    /// reconnect too.
    pub reflection_interval: PeriodOrOff,

    /// A file that keeps what the application said by reflection for the next start: then its
    /// methods are known before it can be asked. It is a `FileDescriptorSet`, written whole whenever
    /// the application says something else.
    pub cache: Option<PathBuf>,

    /// `google.api.Service` YAML files with `http.rules`; they override annotations.
    pub http_rules: Vec<PathBuf>,

    /// Native gRPC calls of methods that the schema does not know.
    pub unknown_methods: UnknownMethods,
}

/// `schema.reflection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reflection {
    /// Asked when no files are given.
    Auto,
    /// Asked, and local files replace reflected ones of their name.
    On,
    /// Never asked.
    Off,
}

choice! {
    /// `schema.unknown_methods`.
    UnknownMethods: bool {
        /// Pass to the application, which knows best.
        Allow => true,
        /// Answered with UNIMPLEMENTED.
        Deny => false,
    }
}

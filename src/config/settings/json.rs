//! `json`: the JSON form of messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::policy;

/// How messages are written as JSON and read from it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct JsonSettings {
    /// Names of fields on output.
    pub names: Option<FieldNames>,
    /// 64-bit integers on output.
    pub int64: Option<Int64>,
    /// Fields that hold their default value and cannot tell it from not being set, on output.
    pub defaults: Option<Defaults>,
    /// Enums on output.
    pub enums: Option<Enums>,
    /// Spaces to indent by on output; 0 writes everything in one line.
    #[schemars(range(max = 8))]
    pub indent: Option<u8>,
    /// Keys that no field has, on input.
    pub unknown_fields: Option<UnknownFields>,
    /// How names of enum values are compared on input.
    pub enum_case: Option<EnumCase>,
}

choice! {
    /// `json.names`.
    FieldNames: policy::FieldNames {
        /// `lowerCamelCase`, or the `json_name` of the field.
        Camel => policy::FieldNames::Camel,
        /// As in the proto file.
        Proto => policy::FieldNames::Proto,
    }
}

choice! {
    /// `json.int64`.
    Int64: policy::Int64 {
        /// In quotes, so that JavaScript keeps every digit.
        String => policy::Int64::String,
        /// As numbers.
        Number => policy::Int64::Number,
    }
}

choice! {
    /// `json.defaults`.
    Defaults: policy::Defaults {
        /// Left out.
        Omit => policy::Defaults::Omit,
        /// Written.
        Emit => policy::Defaults::Emit,
        /// Written, and `null` for messages, and other fields that can tell it, that are not set:
        /// Go's `EmitUnpopulated`. Members of a `oneof` and `optional` fields stay left out.
        EmitNull => policy::Defaults::EmitNull,
    }
}

choice! {
    /// `json.enums`.
    Enums: policy::Enums {
        /// By name; a number that has none stays a number.
        Name => policy::Enums::Name,
        /// By number.
        Number => policy::Enums::Number,
    }
}

choice! {
    /// `json.unknown_fields`.
    UnknownFields: policy::UnknownFields {
        /// The request is refused with 400, which names the key and the nearest field.
        Reject => policy::UnknownFields::Reject,
        /// Skipped.
        Ignore => policy::UnknownFields::Ignore,
    }
}

choice! {
    /// `json.enum_case`.
    EnumCase: policy::EnumCase {
        /// Letter by letter.
        Exact => policy::EnumCase::Exact,
        /// Upper and lower case are the same.
        Insensitive => policy::EnumCase::Insensitive,
    }
}

impl JsonSettings {
    /// These settings, and `base` where they say nothing.
    pub fn onto(&self, base: policy::JsonOptions) -> policy::JsonOptions {
        policy::JsonOptions {
            names: self.names.map_or(base.names, Into::into),
            int64: self.int64.map_or(base.int64, Into::into),
            defaults: self.defaults.map_or(base.defaults, Into::into),
            enums: self.enums.map_or(base.enums, Into::into),
            indent: self.indent.unwrap_or(base.indent),
            unknown_fields: self.unknown_fields.map_or(base.unknown_fields, Into::into),
            enum_case: self.enum_case.map_or(base.enum_case, Into::into),
        }
    }
}

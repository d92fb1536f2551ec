//! [`Form`]: which of the `json` options change what a type looks like.

use crate::schema::plan::Field;
use crate::schema::policy::{Enums, FieldNames, Int64, JsonOptions};

/// How messages are written by one policy. A type has a component for each form it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    names: FieldNames,
    int64: Int64,
    enums: Enums,
}

impl Form {
    pub(super) fn of(json: &JsonOptions) -> Self {
        Self {
            names: json.names,
            int64: json.int64,
            enums: json.enums,
        }
    }

    /// The same as far as it matters for enums.
    pub(super) fn of_enums(self) -> Self {
        Self {
            names: FieldNames::Camel,
            int64: Int64::String,
            ..self
        }
    }

    /// What a component of this form has behind its name, if it differs from the usual one.
    pub(super) fn suffix(self, default: Self) -> String {
        let mut suffix = String::new();
        if self.names != default.names {
            suffix.push_str(match self.names {
                FieldNames::Camel => "-camel",
                FieldNames::Proto => "-proto",
            });
        }
        if self.int64 != default.int64 {
            suffix.push_str(match self.int64 {
                Int64::String => "-int64string",
                Int64::Number => "-int64number",
            });
        }
        if self.enums != default.enums {
            suffix.push_str(match self.enums {
                Enums::Name => "-enumname",
                Enums::Number => "-enumnumber",
            });
        }
        suffix
    }

    /// How a field is called.
    pub(super) fn name_of(self, field: &Field) -> &str {
        match self.names {
            FieldNames::Camel => &field.json_name,
            FieldNames::Proto => &field.name,
        }
    }

    /// Whether 64-bit integers are numbers.
    pub(super) fn int64_numbers(self) -> bool {
        self.int64 == Int64::Number
    }

    /// Whether enums are numbers.
    pub(super) fn numbers(self) -> bool {
        self.enums == Enums::Number
    }
}

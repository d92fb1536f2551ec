//! Editions features: the one place that knows what a syntax or edition means.
//!
//! proto2 and proto3 are editions with defaults of their own, and their labels and options are
//! read as the features they stand for. Nothing outside of this file asks for a syntax.
//!
//! Source: `google/protobuf/descriptor.proto` (`FeatureSet`) and the editions chapter of the
//! protobuf language guide.

use std::fmt;

use super::descriptor::{FeatureSet, Label, Type};
use super::view;

/// An edition that this gateway knows; proto2 and proto3 count as editions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// `syntax = "proto2"`, or no syntax at all.
    Proto2,
    /// `syntax = "proto3"`.
    Proto3,
    /// `edition = "2023"`.
    Edition2023,
    /// `edition = "2024"`.
    Edition2024,
}

/// A syntax or edition that this gateway does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownEdition {
    /// A `syntax` that is none of ours.
    Syntax(String),
    /// A number of `google.protobuf.Edition`.
    Number(i32),
}

/// The features that decide how a declaration behaves, with everything inherited.
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts, each read by its name in descriptor.proto"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// `field_presence`.
    pub presence: Presence,
    /// `enum_type = CLOSED`.
    pub closed_enums: bool,
    /// `repeated_field_encoding = PACKED`.
    pub packed: bool,
    /// `utf8_validation = VERIFY`.
    pub verify_utf8: bool,
    /// `message_encoding = DELIMITED`.
    pub delimited: bool,
}

/// `field_presence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A field knows whether it was set.
    Explicit,
    /// A field with its default value is a field that was not set.
    Implicit,
    /// As explicit, and the field must be set.
    Required,
}

impl Edition {
    /// The edition of a file.
    ///
    /// The syntax or the edition may not be known; a later edition may change what a field means, so
    /// nothing may be guessed.
    fn of(syntax: &str, edition: Option<i32>) -> Result<Self, UnknownEdition> {
        match (syntax, edition) {
            ("editions", number) => Self::from_number(number.unwrap_or(0)),
            ("", Some(number)) => Self::from_number(number),
            ("" | "proto2", _) => Ok(Self::Proto2),
            ("proto3", _) => Ok(Self::Proto3),
            (other, _) => Err(UnknownEdition::Syntax(other.to_owned())),
        }
    }

    fn from_number(number: i32) -> Result<Self, UnknownEdition> {
        match number {
            998 => Ok(Self::Proto2),
            999 => Ok(Self::Proto3),
            1000 => Ok(Self::Edition2023),
            1001 => Ok(Self::Edition2024),
            other => Err(UnknownEdition::Number(other)),
        }
    }

    /// What holds in a file of this edition that says nothing itself.
    pub fn defaults(self) -> Features {
        let newest = Features {
            presence: Presence::Explicit,
            closed_enums: false,
            packed: true,
            verify_utf8: true,
            delimited: false,
        };
        match self {
            Self::Proto2 => Features {
                closed_enums: true,
                packed: false,
                verify_utf8: false,
                ..newest
            },
            Self::Proto3 => Features {
                presence: Presence::Implicit,
                ..newest
            },
            Self::Edition2023 | Self::Edition2024 => newest,
        }
    }
}

impl Features {
    /// The features of a file: the defaults of its edition and its own options.
    ///
    /// # Errors
    ///
    /// The syntax or the edition is not known.
    pub(super) fn of_file(file: &view::File<'_>) -> Result<Self, UnknownEdition> {
        let options = file.options.as_ref();
        Ok(Edition::of(file.syntax, file.edition)?
            .defaults()
            .with(options.and_then(|options| options.features.as_ref())))
    }

    /// The features of something declared inside of what has these: a message of a file, a
    /// field, oneof or enum of a message. What is unset or unknown in `own` is inherited.
    #[must_use]
    pub fn with(self, own: Option<&FeatureSet>) -> Self {
        let Some(own) = own else { return self };
        let choose = |value: Option<i32>, yes: i32, no: i32, inherited: bool| match value {
            Some(value) if value == yes => true,
            Some(value) if value == no => false,
            Some(_) | None => inherited,
        };
        Self {
            presence: match own.field_presence {
                Some(1) => Presence::Explicit,
                Some(2) => Presence::Implicit,
                Some(3) => Presence::Required,
                Some(_) | None => self.presence,
            },
            closed_enums: choose(own.enum_type, 2, 1, self.closed_enums),
            packed: choose(own.repeated_field_encoding, 1, 2, self.packed),
            verify_utf8: choose(own.utf8_validation, 2, 3, self.verify_utf8),
            delimited: choose(own.message_encoding, 2, 1, self.delimited),
        }
    }

    /// The features of a field, when these are those of what encloses it (its oneof, if it is in
    /// one): its own options, and what proto2 and proto3 say in other words.
    #[must_use]
    pub(super) fn of_field(self, field: &view::Field<'_>) -> Self {
        let options = field.options.as_ref();
        let mut features = self.with(options.and_then(|options| options.features.as_ref()));
        if let Some(packed) = options.and_then(|options| options.packed) {
            features.packed = packed;
        }
        if field.label == Some(Label::Required as i32) {
            features.presence = Presence::Required;
        } else if field.proto3_optional {
            features.presence = Presence::Explicit;
        }
        features.delimited |= field.kind == Some(Type::Group as i32);
        features
    }
}

impl fmt::Display for UnknownEdition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(name) => write!(f, "syntax `{}` is not known", name.escape_debug()),
            Self::Number(number) => write!(f, "edition number {number} is not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Edition, Features, Presence, UnknownEdition};
    use crate::schema::descriptor::{FeatureSet, FileOptions, Label, Type};
    use crate::schema::view::{Field, FieldOptions, File};

    const PROTO2: Features = Features {
        presence: Presence::Explicit,
        closed_enums: true,
        packed: false,
        verify_utf8: false,
        delimited: false,
    };
    const PROTO3: Features = Features {
        presence: Presence::Implicit,
        closed_enums: false,
        packed: true,
        verify_utf8: true,
        delimited: false,
    };
    const EDITIONS: Features = Features {
        presence: Presence::Explicit,
        ..PROTO3
    };

    fn file(syntax: Option<&str>, edition: Option<i32>) -> File<'_> {
        File {
            syntax: syntax.unwrap_or_default(),
            edition,
            ..File::default()
        }
    }

    #[test]
    fn every_edition_has_its_defaults() {
        let unknown = |number| Err(UnknownEdition::Number(number));
        let rows = [
            (None, None, Ok(PROTO2)),
            (Some("proto2"), None, Ok(PROTO2)),
            (Some("proto3"), None, Ok(PROTO3)),
            (Some("proto3"), Some(999), Ok(PROTO3)),
            (None, Some(998), Ok(PROTO2)),
            (Some("editions"), Some(999), Ok(PROTO3)),
            (Some("editions"), Some(1000), Ok(EDITIONS)),
            (Some("editions"), Some(1001), Ok(EDITIONS)),
            (None, Some(1001), Ok(EDITIONS)),
            (Some("editions"), Some(1002), unknown(1002)),
            (Some("editions"), Some(i32::MAX), unknown(i32::MAX)),
            (Some("editions"), Some(900), unknown(900)),
            (Some("editions"), None, unknown(0)),
            (
                Some("proto4"),
                None,
                Err(UnknownEdition::Syntax("proto4".to_owned())),
            ),
        ];
        for (syntax, edition, expected) in rows {
            let found = Features::of_file(&file(syntax, edition));
            assert_eq!(found, expected, "{syntax:?} {edition:?}");
        }
        assert!(Edition::Proto2 < Edition::Edition2024);
    }

    #[test]
    fn own_features_override_inherited_ones_one_by_one() {
        let all = FeatureSet {
            field_presence: Some(2),
            enum_type: Some(2),
            repeated_field_encoding: Some(2),
            utf8_validation: Some(3),
            message_encoding: Some(2),
            json_format: Some(1),
        };
        let turned = Features {
            presence: Presence::Implicit,
            closed_enums: true,
            packed: false,
            verify_utf8: false,
            delimited: true,
        };
        assert_eq!(EDITIONS.with(Some(&all)), turned);
        assert_eq!(EDITIONS.with(None), EDITIONS);
        assert_eq!(turned.with(Some(&FeatureSet::default())), turned);
        let back = FeatureSet {
            field_presence: Some(1),
            enum_type: Some(1),
            repeated_field_encoding: Some(1),
            utf8_validation: Some(2),
            message_encoding: Some(1),
            json_format: None,
        };
        assert_eq!(turned.with(Some(&back)), EDITIONS);
        let garbage = FeatureSet {
            field_presence: Some(-1),
            enum_type: Some(77),
            repeated_field_encoding: Some(0),
            utf8_validation: Some(1),
            message_encoding: Some(9),
            json_format: Some(i32::MIN),
        };
        assert_eq!(turned.with(Some(&garbage)), turned);
    }

    #[test]
    fn a_file_inherits_from_its_edition() {
        let mut file = file(Some("editions"), Some(1000));
        file.options = Some(FileOptions {
            features: Some(FeatureSet {
                field_presence: Some(2),
                ..FeatureSet::default()
            }),
            ..FileOptions::default()
        });
        assert_eq!(Features::of_file(&file), Ok(PROTO3));
    }

    #[test]
    fn labels_and_options_of_older_syntaxes_are_features() {
        let required = Field {
            label: Some(Label::Required as i32),
            ..Field::default()
        };
        assert_eq!(PROTO2.of_field(&required).presence, Presence::Required);
        let optional = Field {
            proto3_optional: true,
            ..Field::default()
        };
        assert_eq!(PROTO3.of_field(&optional).presence, Presence::Explicit);
        let group = Field {
            kind: Some(Type::Group as i32),
            ..Field::default()
        };
        assert!(PROTO2.of_field(&group).delimited);
        for (features, packed) in [(PROTO2, true), (PROTO3, false)] {
            let field = Field {
                options: Some(FieldOptions {
                    packed: Some(packed),
                    ..FieldOptions::default()
                }),
                ..Field::default()
            };
            assert_eq!(features.of_field(&field).packed, packed);
        }
    }

    #[test]
    fn unknown_editions_say_what_they_are() {
        assert_eq!(
            UnknownEdition::Number(1002).to_string(),
            "edition number 1002 is not known"
        );
        assert_eq!(
            UnknownEdition::Syntax("a\nb".to_owned()).to_string(),
            "syntax `a\\nb` is not known"
        );
    }
}

//! Typed strings: `30s`, `4MiB`, `127.0.0.1:9901` and their like, each with its own small parser.
//!
//! A value that parsed is right; nothing checks it again later. Each type names its `FORMAT` in
//! the JSON Schema of the file, and [`check`] finds the parser of a format, so that all values of
//! a file can be tried and every bad one be told.

mod acme;
mod address;
mod amount;
mod collector;
mod dns_server;
mod name;
mod network;
mod origin;
mod place;
mod rate;
mod registry;
mod selector;
mod share;
#[cfg(test)]
mod tests;
mod token;
mod upstream_url;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

pub use acme::{DirectoryUrl, DomainName};
pub use address::{Listen, ListenOrOff};
pub use amount::{Count, Period, PeriodOrOff, PeriodOrZero, Size};
pub use collector::{CollectorUrl, ScrapeUrl};
pub use dns_server::DnsServer;
pub use name::UpstreamName;
pub use network::Network;
pub use origin::OriginPattern;
pub use place::PlaceName;
pub use rate::CallRate;
pub use registry::RegistryUrl;
pub use selector::Selector;
pub use share::Share;
pub use token::{
    CookieName, CookieValue, FieldName, HeaderName, MetadataPrefix, QueryName, QueryPattern,
};
pub use upstream_url::UpstreamUrl;

/// A value that is written as text of a certain form.
pub trait Typed: Sized + fmt::Display {
    /// The `format` of the JSON Schema.
    const FORMAT: &'static str;
    /// What belongs here, to stand after "must be".
    const EXPECTED: &'static str;
    /// The `type` of the JSON Schema: some texts look like something else.
    const TYPE: &'static [&'static str] = &["string"];

    /// Reads the text.
    fn read(text: &str) -> Result<Self, Refused>;
}

/// Why a text was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not have the form that [`Typed::EXPECTED`] tells.
    Form,
    /// It has the form, but cannot be taken, for a reason of its own.
    Because(String),
}

/// What is known of a type without naming it.
struct Kind {
    format: &'static str,
    expected: &'static str,
    attempt: fn(&str) -> Result<(), Refused>,
}

const KINDS: &[Kind] = &[
    kind::<CallRate>(),
    kind::<CollectorUrl>(),
    kind::<CookieName>(),
    kind::<CookieValue>(),
    kind::<Count>(),
    kind::<DirectoryUrl>(),
    kind::<DnsServer>(),
    kind::<DomainName>(),
    kind::<FieldName>(),
    kind::<HeaderName>(),
    kind::<Listen>(),
    kind::<ListenOrOff>(),
    kind::<MetadataPrefix>(),
    kind::<Network>(),
    kind::<OriginPattern>(),
    kind::<Period>(),
    kind::<PeriodOrOff>(),
    kind::<PeriodOrZero>(),
    kind::<PlaceName>(),
    kind::<QueryName>(),
    kind::<QueryPattern>(),
    kind::<RegistryUrl>(),
    kind::<ScrapeUrl>(),
    kind::<Selector>(),
    kind::<Share>(),
    kind::<Size>(),
    kind::<UpstreamName>(),
    kind::<UpstreamUrl>(),
];

const fn kind<T: Typed>() -> Kind {
    Kind {
        format: T::FORMAT,
        expected: T::EXPECTED,
        attempt: |text| T::read(text).map(|_| ()),
    }
}

/// Tries a text against the type of a format; text of an unknown format is taken.
pub fn check(format: &str, text: &str) -> Result<(), Refused> {
    KINDS
        .iter()
        .find(|kind| kind.format == format)
        .map_or(Ok(()), |kind| (kind.attempt)(text))
}

/// A text of a format as others of the same meaning are written.
pub fn canonical(format: &str, text: &str) -> Box<str> {
    if format == HeaderName::FORMAT {
        return text.to_ascii_lowercase().into();
    }
    text.into()
}

/// What belongs where a format stands, to stand after "must be".
pub fn expected(format: &str) -> Option<&'static str> {
    let kind = KINDS.iter().find(|kind| kind.format == format)?;
    Some(kind.expected)
}

/// Typed strings are strings in every representation.
macro_rules! as_string {
    ($($name:ident),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::read(&text).map_err(|_refused| D::Error::custom(Self::EXPECTED))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                Self::FORMAT.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": Self::TYPE, "format": Self::FORMAT })
            }
        }
    )+};
}

as_string!(
    CallRate,
    CollectorUrl,
    Count,
    CookieName,
    CookieValue,
    DirectoryUrl,
    DomainName,
    DnsServer,
    FieldName,
    HeaderName,
    Listen,
    ListenOrOff,
    MetadataPrefix,
    Network,
    OriginPattern,
    Period,
    PeriodOrOff,
    PeriodOrZero,
    PlaceName,
    QueryName,
    QueryPattern,
    RegistryUrl,
    ScrapeUrl,
    Selector,
    Share,
    Size,
    UpstreamName,
    UpstreamUrl
);

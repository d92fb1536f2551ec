//! Names in requests and answers: [`HeaderName`], [`CookieName`], [`CookieValue`],
//! [`MetadataPrefix`], [`QueryName`], [`QueryPattern`] and [`FieldName`].

use std::fmt;

use super::{Refused, Typed};

/// A name of a header, lower-case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderName(pub Box<str>);

/// A name of a cookie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CookieName(pub Box<str>);

/// A field that a cookie has for its value, and the cookie's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieValue {
    /// The field.
    pub field: FieldName,
    /// `; Path=/; HttpOnly`, or nothing.
    pub attributes: Box<str>,
}

/// A field of a message, or of a message in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName(pub Box<str>);

/// What is put before the names of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataPrefix(pub Box<str>);

/// A name of a query parameter, as it stands in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryName(pub Box<str>);

/// A name of a query parameter, or the beginning of one and `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryPattern(pub Box<str>);

/// The longest of these names.
const LONGEST: usize = 256;

impl Typed for HeaderName {
    const FORMAT: &'static str = "sidegate-header";
    const EXPECTED: &'static str = "the name of a header such as `x-internal`";

    fn read(text: &str) -> Result<Self, Refused> {
        if is_token(text) {
            return Ok(Self(text.to_ascii_lowercase().into()));
        }
        Err(Refused::Form)
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Typed for CookieName {
    const FORMAT: &'static str = "sidegate-cookie";
    const EXPECTED: &'static str = "the name of a cookie such as `session`";

    fn read(text: &str) -> Result<Self, Refused> {
        if is_token(text) {
            return Ok(Self(text.into()));
        }
        Err(Refused::Form)
    }
}

impl fmt::Display for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Typed for FieldName {
    const FORMAT: &'static str = "sidegate-field";
    const EXPECTED: &'static str = "a field such as `tenant_id` or `caller.name`";

    fn read(text: &str) -> Result<Self, Refused> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_word);
        if text.len() <= LONGEST && text.split('.').all(is_name) {
            return Ok(Self(text.into()));
        }
        Err(Refused::Form)
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Typed for CookieValue {
    const FORMAT: &'static str = "sidegate-cookie-value";
    const EXPECTED: &'static str =
        "a field of the answer and attributes, such as `session_id; Path=/; HttpOnly; Secure`";

    fn read(text: &str) -> Result<Self, Refused> {
        let mut parts = text.split(';').map(str::trim);
        let field = FieldName::read(parts.next().unwrap_or_default())?;
        let mut attributes = String::new();
        for part in parts {
            if !is_attribute(part) {
                return Err(Refused::Form);
            }
            attributes.push_str("; ");
            attributes.push_str(part);
        }
        let attributes = attributes.into();
        Ok(Self { field, attributes })
    }
}

impl fmt::Display for CookieValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.field, self.attributes)
    }
}

/// An attribute of a cookie (RFC 6265, and `Partitioned`).
fn is_attribute(text: &str) -> bool {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let plain =
        |value: &str| !value.is_empty() && value.bytes().all(|b| (b' '..=b'~').contains(&b));
    match name.to_ascii_lowercase().as_str() {
        "secure" | "httponly" | "partitioned" => value.is_none(),
        "path" | "domain" | "expires" => value.is_some_and(plain),
        "max-age" => value.is_some_and(|value| value.parse::<i64>().is_ok()),
        "samesite" => value.is_some_and(|value| {
            let words = ["strict", "lax", "none"];
            words.iter().any(|word| value.eq_ignore_ascii_case(word))
        }),
        _ => false,
    }
}

impl Typed for MetadataPrefix {
    const FORMAT: &'static str = "sidegate-metadata-prefix";
    const EXPECTED: &'static str =
        "the beginning of a header's name such as `Grpc-Metadata-`, or `\"\"` for none";

    fn read(text: &str) -> Result<Self, Refused> {
        if text.is_empty() || is_token(text) {
            return Ok(Self(text.into()));
        }
        Err(Refused::Form)
    }
}

impl fmt::Display for MetadataPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Typed for QueryName {
    const FORMAT: &'static str = "sidegate-query-name";
    const EXPECTED: &'static str = "the name of a query parameter such as `access_token`";

    fn read(text: &str) -> Result<Self, Refused> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if !text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain) {
            return Ok(Self(text.into()));
        }
        Err(Refused::Form)
    }
}

impl fmt::Display for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Typed for QueryPattern {
    const FORMAT: &'static str = "sidegate-query-pattern";
    const EXPECTED: &'static str =
        "the name of a query parameter, or its beginning and a `*`, such as `utm_*`";

    fn read(text: &str) -> Result<Self, Refused> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let sound = !text.is_empty()
            && text.len() <= LONGEST
            && !name.contains(['*', '&', '='])
            && !name.contains(char::is_control);
        if sound {
            return Ok(Self(text.into()));
        }
        Err(Refused::Form)
    }
}

impl fmt::Display for QueryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is a token of RFC 9110, which names of headers are.
fn is_token(text: &str) -> bool {
    let belongs = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(belongs)
}

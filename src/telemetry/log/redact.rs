//! [`Redacted`]: a query string without what nobody should read in a log.
//!
//! A value is hidden when the name of its parameter speaks of a secret, however the name is
//! escaped, or when it looks like a token by itself. What is not secret stays as it was sent.

use std::fmt;

use crate::wire::percent;

/// Names that are secret only when they stand alone.
const NAMES: [&str; 9] = [
    "auth",
    "authorization",
    "code",
    "jwt",
    "key",
    "pass",
    "pin",
    "pwd",
    "sig",
];

/// Parts of names that make any name secret.
const PARTS: [&str; 10] = [
    "token",
    "secret",
    "passw",
    "passphrase",
    "credential",
    "signature",
    "session",
    "apikey",
    "privatekey",
    "accesskey",
];

/// Names that speak of a token that opens nothing.
const HARMLESS: [&str; 3] = ["pagetoken", "nextpagetoken", "synctoken"];

/// What stands for a secret.
pub const HIDDEN: &str = "***";

/// A query string that displays without its secrets.
#[derive(Clone, Copy, Debug)]
pub struct Redacted<'query> {
    /// As it was sent.
    pub query: &'query str,
    /// Parameters that are hidden besides those whose names or values say it, in lower case.
    pub hidden: &'query [Box<str>],
}

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pair) in self.query.split('&').enumerate() {
            if at > 0 {
                f.write_str("&")?;
            }
            match pair.split_once('=') {
                Some((name, value)) if is_secret(name) || is_token(value) || self.hides(name) => {
                    write!(f, "{name}={HIDDEN}")?;
                }
                None if is_token(pair) => f.write_str(HIDDEN)?,
                Some(_) | None => f.write_str(pair)?,
            }
        }
        Ok(())
    }
}

impl Redacted<'_> {
    fn hides(&self, name: &str) -> bool {
        // Most configurations name none, and then no name is decoded for it.
        !self.hidden.is_empty() && {
            let name = percent::decode_message(name.as_bytes()).to_lowercase();
            self.hidden.iter().any(|hidden| **hidden == *name)
        }
    }
}

/// Whether nobody should read a header of this name, whatever it says.
pub fn hides_header(name: &str) -> bool {
    let cookie = matches!(name, "cookie" | "set-cookie" | "cookie2");
    cookie || name.ends_with("authorization") || is_secret(name)
}

/// What is shown of the value of another header.
pub fn header_value(value: &str) -> &str {
    // `Basic abc` has a space where a query has an escaped one.
    if is_token(value) { HIDDEN } else { value }
}

/// Whether a parameter of this name holds a secret. Case and punctuation say nothing:
/// `X-Api_Key` is `apikey`, `$.xgafv` is `xgafv`.
fn is_secret(name: &str) -> bool {
    let name: String = percent::decode_message(name.as_bytes())
        .chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let bare = name.strip_prefix('x').unwrap_or(&name);
    NAMES
        .iter()
        .any(|secret| name == *secret || bare == *secret)
        || PARTS.iter().any(|part| name.contains(part)) && !HARMLESS.contains(&name.as_str())
}

/// Whether a value is a JSON web token or names itself a credential.
fn is_token(value: &str) -> bool {
    let web_token = value.starts_with("eyJ") && value.contains('.');
    let credential = ["bearer", "basic"].iter().any(|scheme| {
        value
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && matches!(value.as_bytes().get(scheme.len()), Some(b'+' | b'%' | b' '))
    });
    web_token || credential
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_everything_else_stays() {
        for (query, expected) in [
            ("", ""),
            ("a=1&b=&c", "a=1&b=&c"),
            ("access_token=abc&a=1", "access_token=***&a=1"),
            ("$access_token=abc", "$access_token=***"),
            ("access%5Ftoken=abc", "access%5Ftoken=***"),
            ("%61ccess-Token=abc", "%61ccess-Token=***"),
            (
                "key=1&x-api-key=2&apiKey=3",
                "key=***&x-api-key=***&apiKey=***",
            ),
            ("user.password=x", "user.password=***"),
            (
                "X-Amz-Signature=x&X-Amz-Date=y",
                "X-Amz-Signature=***&X-Amz-Date=y",
            ),
            ("page_token=abc&pageToken=d", "page_token=abc&pageToken=d"),
            (
                "author=me&keyword=x&barcode=1",
                "author=me&keyword=x&barcode=1",
            ),
            ("q=eyJhbGciOiJub25lIn0.e30.", "q=***"),
            ("q=Bearer%20abc&r=basic+YTpi", "q=***&r=***"),
            ("eyJhbGciOiJub25lIn0.e30.", "***"),
            ("q=basics&r=bearer", "q=basics&r=bearer"),
            ("a==b&&=", "a==b&&="),
        ] {
            let redacted = Redacted { query, hidden: &[] };
            assert_eq!(redacted.to_string(), expected);
        }
    }

    #[test]
    fn more_is_hidden_where_it_is_configured() {
        let redacted = Redacted {
            query: "email=a@b&EMAIL=c&e%6dail=d&e=f",
            hidden: &["email".into()],
        };
        assert_eq!(redacted.to_string(), "email=***&EMAIL=***&e%6dail=***&e=f");
    }

    #[test]
    fn headers_that_open_something_are_hidden() {
        for (name, value, shown) in [
            ("x-request-id", "abc", true),
            ("x-tenant", "Bearer of news", false),
            ("authorization", "abc", false),
            ("proxy-authorization", "abc", false),
            ("cookie", "a=b", false),
            ("x-api-key", "abc", false),
            ("x-session-token", "abc", false),
            ("x-note", "eyJhbGciOiJub25lIn0.e30.", false),
        ] {
            let hidden = hides_header(name) || header_value(value) == HIDDEN;
            assert_eq!(!hidden, shown, "{name}: {value}");
        }
    }
}

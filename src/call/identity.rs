//! [`Identity`]: who a client is by its certificate, which was verified.

use http::HeaderValue;

/// What a verified certificate says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The subject as RFC 4514 writes it; often empty.
    pub subject: Box<str>,
    /// URIs among the names, such as a SPIFFE id.
    pub uris: Vec<Box<str>>,
    /// Hosts among the names.
    pub dns: Vec<Box<str>>,
    /// The SHA-256 of the certificate, in hexadecimal.
    pub sha256: Box<str>,
    /// As `x-forwarded-client-cert` has it: written once a connection, not once a call.
    forwarded: Option<HeaderValue>,
}

impl Identity {
    /// The bearer of a certificate.
    pub fn new(subject: &str, uris: &[String], dns: &[String], sha256: &str) -> Self {
        let boxed = |names: &[String]| names.iter().map(|name| name.as_str().into()).collect();
        let mut text = format!("Hash={sha256}");
        append(&mut text, "Subject", subject);
        uris.iter().for_each(|uri| append(&mut text, "URI", uri));
        dns.iter().for_each(|name| append(&mut text, "DNS", name));
        Self {
            subject: subject.into(),
            uris: boxed(uris),
            dns: boxed(dns),
            sha256: sha256.into(),
            forwarded: HeaderValue::try_from(text).ok(),
        }
    }

    /// The one name that logs have: a SPIFFE id before other names, and a subject at last.
    pub fn name(&self) -> &str {
        let spiffe = self.uris.iter().find(|uri| uri.starts_with("spiffe://"));
        let named = spiffe.or_else(|| self.uris.first());
        let named = named.or_else(|| self.dns.first());
        match named {
            Some(name) => name,
            None if self.subject.is_empty() => &self.sha256,
            None => &self.subject,
        }
    }

    /// The value of `x-forwarded-client-cert`.
    pub fn forwarded(&self) -> Option<&HeaderValue> {
        self.forwarded.as_ref()
    }
}

/// Adds a pair; a value that could be mistaken for more than itself is quoted, and what metadata
/// cannot hold is percent-encoded.
fn append(text: &mut String, key: &str, value: &str) {
    text.push(';');
    text.push_str(key);
    text.push('=');
    let quoted = key == "Subject" || value.contains([',', ';', '=', '"', '\\', ' ']);
    if quoted {
        text.push('"');
    }
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    if quoted {
        text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subject: &str, uris: &[&str], dns: &[&str], expected: &str, name: &str) {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let identity = Identity::new(subject, &owned(uris), &owned(dns), "ab12");
        assert_eq!(identity.forwarded().unwrap(), expected);
        assert_eq!(identity.name(), name);
    }

    #[test]
    fn m3_xfcc_tells_hash_subject_and_names() {
        check("", &[], &[], "Hash=ab12;Subject=\"\"", "ab12");
        check(
            "CN=app,O=A \"B\" \\",
            &[],
            &[],
            r#"Hash=ab12;Subject="CN=app,O=A \"B\" \\""#,
            "CN=app,O=A \"B\" \\",
        );
        check(
            "CN=app",
            &["https://a/", "spiffe://a.org/b"],
            &["a.org", "b.org"],
            "Hash=ab12;Subject=\"CN=app\";URI=https://a/;URI=spiffe://a.org/b;DNS=a.org;DNS=b.org",
            "spiffe://a.org/b",
        );
    }

    #[test]
    fn f16_names_cannot_pretend_to_be_more_than_one() {
        check(
            "CN=\u{fc}\n",
            &["spiffe://a/;Subject=root,Hash=00"],
            &["x"],
            "Hash=ab12;Subject=\"CN=%C3%BC%0A\";URI=\"spiffe://a/;Subject=root,Hash=00\";DNS=x",
            "spiffe://a/;Subject=root,Hash=00",
        );
    }
}

//! What an ACME authority is asked for, and where it is: [`DomainName`], [`DirectoryUrl`].

use std::fmt;

use http::Uri;

use super::{PlaceName, Refused, Typed};

/// A host that a certificate can be for, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(pub String);

impl Typed for DomainName {
    const FORMAT: &'static str = "sidegate-domain";
    const EXPECTED: &'static str = "a host name such as `api.example.com`";

    fn read(text: &str) -> Result<Self, Refused> {
        if text.starts_with("*.") {
            let reason = "has a wildcard, for which authorities want a record in DNS";
            return Err(Refused::Because(reason.to_owned()));
        }
        let is_label = |label: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(fits)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
        let fits = text.len() <= 253
            && text.split('.').all(is_label)
            && !text.rsplit('.').next().is_some_and(is_number);
        fits.then(|| Self(text.to_ascii_lowercase()))
            .ok_or(Refused::Form)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The directory of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUrl(Box<str>);

impl Typed for DirectoryUrl {
    const FORMAT: &'static str = "sidegate-directory";
    const EXPECTED: &'static str = "a URL such as `https://acme.example.com/directory`";

    fn read(text: &str) -> Result<Self, Refused> {
        let uri: Uri = text.parse().map_err(|_wrong| Refused::Form)?;
        if uri.scheme_str() == Some("http") {
            let reason = "has to be https: an authority is asked over TLS only";
            return Err(Refused::Because(reason.to_owned()));
        }
        let place = uri.authority().and_then(PlaceName::split);
        match (uri.scheme_str(), place) {
            (Some("https"), Some(_)) => Ok(Self(text.into())),
            _ => Err(Refused::Form),
        }
    }
}

impl fmt::Display for DirectoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for (text, name) in [
            ("a.example", "a.example"),
            ("API.Example.com", "api.example.com"),
        ] {
            assert_eq!(DomainName::read(text).unwrap().0, name);
        }
        for text in [
            "", ".", "a..b", "-a.b", "a-.b", "a_b.c", "10.0.0.1", "../x", "a/b", "a b",
        ] {
            assert_eq!(DomainName::read(text), Err(Refused::Form), "{text}");
        }
        let told = DomainName::read("*.example.com").unwrap_err();
        assert!(matches!(told, Refused::Because(why) if why.contains("DNS")));
    }

    #[test]
    fn directories() {
        let text = "https://[::1]:14000/dir";
        assert_eq!(DirectoryUrl::read(text).unwrap().to_string(), text);
        for text in ["", "a", "/dir", "ftp://a/b", "https://u@a/dir", "https://"] {
            assert_eq!(DirectoryUrl::read(text), Err(Refused::Form), "{text}");
        }
        let told = DirectoryUrl::read("http://a/dir").unwrap_err();
        assert!(matches!(told, Refused::Because(why) if why.contains("TLS")));
    }
}

//! [`Facts`]: what a certificate says about itself, as far as somebody here asks.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_cert::der::{DateTime, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its subject as RFC 4514 writes it; often empty.
    pub subject: String,
    /// Host names, lower-case; the first label may be `*`.
    pub dns: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// URIs, such as `spiffe://example.org/shelves`.
    pub uris: Vec<String>,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// The SHA-256 of all of it, in lower-case hexadecimal.
    pub sha256: String,
}

impl Facts {
    /// What a certificate is called where one name has to do.
    pub fn name(&self) -> String {
        let first = self.dns.first().or_else(|| self.uris.first()).cloned();
        first
            .or_else(|| self.addresses.first().map(ToString::to_string))
            .unwrap_or_else(|| self.subject.clone())
    }

    /// Whether it names no host.
    pub fn is_nameless(&self) -> bool {
        self.dns.is_empty() && self.addresses.is_empty()
    }
}

/// Reads a certificate; the error is for whoever made it.
pub(super) fn read(certificate: &CertificateDer<'_>) -> Result<Facts, String> {
    let parsed =
        x509_cert::Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let parsed = parsed.tbs_certificate;
    let names = parsed.get::<SubjectAltName>();
    let names = names.map_err(|error| error.to_string())?;
    let names = names.map_or_else(Vec::new, |(_critical, names)| names.0);
    let mut facts = Facts {
        subject: parsed.subject.to_string(),
        dns: Vec::new(),
        addresses: Vec::new(),
        uris: Vec::new(),
        not_before: moment(parsed.validity.not_before),
        not_after: moment(parsed.validity.not_after),
        sha256: sha256(certificate),
    };
    for name in names {
        match name {
            GeneralName::DnsName(name) => facts.dns.push(name.as_str().to_ascii_lowercase()),
            GeneralName::UniformResourceIdentifier(uri) => facts.uris.push(uri.as_str().to_owned()),
            GeneralName::IpAddress(bytes) => facts.addresses.extend(address(bytes.as_bytes())),
            GeneralName::OtherName(_)
            | GeneralName::Rfc822Name(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EdiPartyName(_)
            | GeneralName::RegisteredId(_) => {}
        }
    }
    Ok(facts)
}

/// The SHA-256 of a certificate in lower-case hexadecimal.
pub(super) fn sha256(certificate: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    data_encoding::HEXLOWER.encode(digest.as_ref())
}

/// A time as RFC 3339 writes it.
pub fn date(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Fractions have no place in certificates, nor in what is said of them.
    let since = Duration::from_secs(since.as_secs());
    DateTime::from_unix_duration(since)
        .map_or_else(|_| "an unknown time".to_owned(), |date| date.to_string())
}

fn moment(time: x509_cert::time::Time) -> SystemTime {
    UNIX_EPOCH + time.to_unix_duration()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

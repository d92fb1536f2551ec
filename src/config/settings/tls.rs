//! `tls`: encryption towards clients.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AcmeSettings;

/// Encryption towards clients.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct TlsSettings {
    /// The certificate as PEM, followed by those that lead to its root. Clients that ask for a
    /// name which no certificate bears get this one too.
    pub cert: Option<PathBuf>,

    /// The private key of `cert` as PEM: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: Option<PathBuf>,

    /// More certificates, each for the host names in it; `*.example.com` stands for one label.
    /// Without `cert` the first of them is for everybody else. Two of one name may have
    /// different kinds of keys.
    pub certificates: Vec<CertificateSettings>,

    /// Makes a certificate at every start, for `localhost`, the name of the host and the address
    /// of `listen`. Its fingerprint is in the log and in the first line on stdout. For
    /// development.
    pub self_signed: bool,

    /// Certificates from an ACME authority, besides those of files. `sidegate` asks for them and
    /// renews them; all of this holds from start to start.
    pub acme: AcmeSettings,

    /// The oldest version of TLS that clients may speak.
    pub min_version: TlsVersion,

    /// Whether clients show certificates, signed by one of `client_ca`. The application gets what
    /// they say as `x-forwarded-client-cert`, which nobody else can set.
    pub client_auth: ClientAuth,

    /// Who signs the certificates of clients: PEM files.
    pub client_ca: Vec<PathBuf>,
}

/// One certificate with its key.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct CertificateSettings {
    /// As `tls.cert`.
    pub cert: Option<PathBuf>,

    /// As `tls.key`.
    pub key: Option<PathBuf>,
}

/// `tls.min_version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2, with forward secrecy and authenticated encryption only.
    #[serde(rename = "1.2")]
    V12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V13,
}

/// `tls.client_auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// They are not asked for any.
    Off,
    /// One that is shown must be sound; without one a client is served too.
    Optional,
    /// Without a sound one there is no connection.
    Required,
}

//! `tls.acme`: certificates that the gateway asks for itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{DirectoryUrl, DomainName, Listen};

/// Certificates from an authority that speaks ACME, such as Let's Encrypt, renewed when a third of
/// their life is left.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct AcmeSettings {
    /// The hosts, each with a certificate of its own; none turns ACME off. Who names a host here
    /// agrees to the terms of the authority. Until the first certificate has come one that nobody
    /// can verify stands in its place.
    pub domains: Vec<DomainName>,

    /// The directory of the authority.
    pub directory: DirectoryUrl,

    /// Who signs the certificate of the directory itself: PEM files. Without it those whom the
    /// system trusts.
    pub directory_ca: Vec<PathBuf>,

    /// A mail address for the authority.
    pub contact: Option<String>,

    /// Where the key of the account and the certificates with their keys are kept, for this user
    /// only. Keep it over restarts: authorities limit how often they are asked.
    pub folder: PathBuf,

    /// How the authority sees that the hosts are ours.
    pub challenge: AcmeChallenge,

    /// Where `http` answers. The authority comes to port 80 of the host.
    pub http_listen: Listen,
}

/// `tls.acme.challenge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AcmeChallenge {
    /// TLS-ALPN-01: a handshake on the address of `listen`, which has to be port 443 of the host.
    TlsAlpn,
    /// HTTP-01: plain HTTP on the address of `http_listen`.
    Http,
}

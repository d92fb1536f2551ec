//! [`Challenges`]: proofs for an ACME authority that a name is ours (TLS-ALPN-01, RFC 8737).
//!
//! While there is one, a client that speaks `acme-tls/1` and nothing else is shown it, whatever is
//! asked of other clients. There is nothing to look at as long as there is none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::provider;
use crate::live::Live;

/// The protocol of ALPN by which authorities ask.
const PROTOCOL: &[u8] = b"acme-tls/1";

/// By the name that they prove.
type Proofs = HashMap<String, Arc<CertifiedKey>>;

/// The proofs of this moment.
#[derive(Debug)]
pub struct Challenges {
    proofs: Mutex<Proofs>,
    /// What their handshakes are made with, if there are any.
    live: Live<Option<Arc<ServerConfig>>>,
}

/// Shown until it is dropped.
#[derive(Debug)]
#[must_use = "it is shown only while it is held"]
pub struct Proof {
    challenges: Arc<Challenges>,
    domain: String,
}

/// Certificates by name.
#[derive(Debug)]
struct Resolver(Proofs);

impl Default for Challenges {
    fn default() -> Self {
        Self {
            proofs: Mutex::default(),
            live: Live::new(None),
        }
    }
}

impl Challenges {
    /// What the handshake of an authority is made with, while one may come.
    pub fn config(&self) -> Option<Arc<ServerConfig>> {
        (**self.live.peek()).clone()
    }

    /// Shows a certificate with the digest of what was agreed on to whoever asks for `domain`.
    pub fn prove(self: &Arc<Self>, domain: &str, digest: &[u8]) -> Result<Proof, String> {
        const SHA256_BYTES: usize = 32;
        if digest.len() != SHA256_BYTES {
            return Err(format!("a proof has 32 bytes, not {}", digest.len()));
        }
        let made = make(domain, digest).map_err(|error| error.to_string())?;
        self.change(|proofs| {
            proofs.insert(domain.to_owned(), made);
        })?;
        Ok(Proof {
            challenges: Arc::clone(self),
            domain: domain.to_owned(),
        })
    }

    fn change(&self, change: impl FnOnce(&mut Proofs)) -> Result<(), String> {
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut proofs);
        if proofs.is_empty() {
            self.live.publish(None);
            return Ok(());
        }
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let resolver = Arc::new(Resolver(proofs.clone()));
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        self.live.publish(Some(Arc::new(config)));
        Ok(())
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        let changed = self.challenges.change(|proofs| {
            proofs.remove(&self.domain);
        });
        // It worked when the proof was put there.
        drop(changed);
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.0.get(&name).cloned()
    }
}

/// Whether an authority asks, and nobody else.
pub fn is_challenge(hello: &ClientHello<'_>) -> bool {
    hello
        .alpn()
        .is_some_and(|mut names| names.next() == Some(PROTOCOL) && names.next().is_none())
}

fn make(domain: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, Box<dyn std::error::Error>> {
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = provider().key_provider.load_private_key(key)?;
    let chain = vec![certificate.der().clone()];
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

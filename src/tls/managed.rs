//! [`Managed`]: a certificate whose file somebody here writes. As long as there is no sound one, one
//! that was made for the moment stands in its place, so that the port can be spoken to at all.

use std::path::Path;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::facts::{self, Facts};
use super::files::{self, File, Loaded, Pair, Seen};
use super::{provider, self_signed};
use crate::schema::problem::{Problem, Severity};

/// A certificate and its key in one file, which may not be there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// The host that it is for.
    pub name: String,
    /// Both as PEM.
    pub file: File,
}

/// What the file holds, or what stands in its place. The path comes with what was read.
pub(super) fn load<'a>(
    managed: &'a Managed,
    provider: &CryptoProvider,
    now: SystemTime,
    seen: &mut Seen,
    problems: &mut Vec<Problem>,
) -> Option<(Option<&'a Path>, Loaded)> {
    if managed.file.path.exists() {
        let pair = Pair {
            cert: managed.file.clone(),
            key: managed.file.clone(),
        };
        let mut found = Vec::new();
        let loaded = files::pair(&pair, provider, now, seen, &mut found);
        // It will be replaced; nothing has to wait for that.
        problems.extend(found.into_iter().map(|problem| Problem {
            severity: Severity::Warning,
            help: Some("a new one is asked for".to_owned()),
            ..problem
        }));
        if let Some(loaded) = loaded {
            return Some((Some(&managed.file.path), loaded));
        }
    }
    match self_signed::make(std::slice::from_ref(&managed.name), provider, now) {
        Ok(made) => Some((None, made)),
        Err(error) => {
            let message = format!(
                "a certificate for `{}` cannot be made: {error}",
                managed.name
            );
            problems.push(Problem::error(managed.file.place.clone(), message));
            None
        }
    }
}

/// What the first certificate of a file says; `None` when it cannot be read.
pub fn facts_of(path: &Path) -> Option<Facts> {
    facts::read(&CertificateDer::from_pem_file(path).ok()?).ok()
}

/// What a key and its chain are good for, both as PEM; an error says what is wrong with them.
pub fn check_managed(pem: &[u8], now: SystemTime) -> Result<Facts, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| format!("is no sound PEM: {error}"))?;
    let leaf = chain.first().ok_or("holds no certificate")?;
    let facts = facts::read(leaf)?;
    if facts.not_after < now {
        return Err(format!("has expired at {}", facts::date(facts.not_after)));
    }
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
    let key = provider().key_provider.load_private_key(key);
    let key = key.map_err(|error| format!("holds a key that cannot be used: {error}"))?;
    let fits = CertifiedKey::new(chain, key).keys_match();
    fits.map_err(|error| format!("is for another key: {error}"))?;
    Ok(facts)
}

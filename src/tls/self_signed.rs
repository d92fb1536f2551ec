//! A certificate for development, made at the start and kept nowhere.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;

use super::facts;
use super::files::Loaded;

/// How long it is valid: as long as anybody takes one for.
const VALID: Duration = Duration::from_secs(365 * 24 * 3600);

/// It begins a little before, for clocks that are behind.
const BEHIND: Duration = Duration::from_secs(3600);

/// Makes a certificate for `names`, hosts and addresses.
pub(super) fn make(
    names: &[String],
    provider: &CryptoProvider,
    now: SystemTime,
) -> Result<Loaded, String> {
    let mut params = CertificateParams::new(names).map_err(|error| error.to_string())?;
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since.saturating_sub(BEHIND);
    params.not_after = params.not_before + VALID;
    params.distinguished_name.remove(DnType::CommonName);
    params
        .distinguished_name
        .push(DnType::CommonName, "sidegate, self-signed");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(|error| error.to_string())?;
    let certificate = params
        .self_signed(&key)
        .map_err(|error| error.to_string())?;
    let facts = facts::read(certificate.der())?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = provider.key_provider.load_private_key(key);
    let key = key.map_err(|error| error.to_string())?;
    let chain = vec![certificate.der().clone()];
    let key = Arc::new(CertifiedKey::new(chain, key));
    Ok(Loaded { key, facts })
}

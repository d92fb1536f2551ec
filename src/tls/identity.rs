//! Who a client is by the certificate that it has shown.

use rustls::pki_types::CertificateDer;

use super::facts;
use crate::call::Identity;

/// The bearer of the first certificate of a chain, which must have been verified. A certificate
/// whose names cannot be read is known by its hash alone.
pub fn identity(chain: &[CertificateDer<'_>]) -> Option<Identity> {
    let first = chain.first()?;
    Some(match facts::read(first) {
        Ok(facts) => Identity::new(&facts.subject, &facts.uris, &facts.dns, &facts.sha256),
        Err(error) => {
            tracing::debug!(error, "the names in a client's certificate cannot be read");
            Identity::new("", &[], &[], &facts::sha256(first))
        }
    })
}

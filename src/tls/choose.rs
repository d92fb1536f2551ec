//! [`Chooser`]: which certificate a client gets, by the name it asks for.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::files::Loaded;

/// Certificates that bear one name, in the order of the configuration.
type Bearers = Vec<Arc<CertifiedKey>>;

/// Certificates by the names in them; the first one for everybody else.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    /// By whole name.
    exact: HashMap<String, Bearers>,
    /// By what follows `*.`, which stands for one label.
    wildcards: HashMap<String, Bearers>,
    /// For a name that no certificate bears, and for clients that name none.
    default: Bearers,
}

impl Chooser {
    pub(super) fn new(certificates: &[Loaded]) -> Self {
        let mut chooser = Self::default();
        let first = certificates.first();
        for certificate in certificates {
            for name in &certificate.facts.dns {
                let bearers = match name.strip_prefix("*.") {
                    Some(parent) => chooser.wildcards.entry(parent.to_owned()),
                    None => chooser.exact.entry(name.clone()),
                };
                bearers.or_default().push(Arc::clone(&certificate.key));
            }
            // One with another kind of key may stand beside the first.
            if first.is_some_and(|first| first.facts.dns == certificate.facts.dns) {
                chooser.default.push(Arc::clone(&certificate.key));
            }
        }
        chooser
    }

    /// The certificate for a name, of a kind that the client understands where there are several.
    pub(super) fn choose(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let bearers = name
            .and_then(|name| self.named(name))
            .unwrap_or(&self.default);
        let fitting = bearers
            .iter()
            .find(|one| one.key.choose_scheme(schemes).is_some());
        fitting.or_else(|| bearers.first()).cloned()
    }

    fn named(&self, name: &str) -> Option<&Bearers> {
        let name = name.to_ascii_lowercase();
        let exact = self.exact.get(&name);
        exact.or_else(|| self.wildcards.get(name.split_once('.')?.1))
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

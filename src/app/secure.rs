//! [`Secure`]: the certificates of the listener, loaded, told and read again.

use std::sync::Arc;

use crate::config::Config;
use crate::schema::problem::{Problem, Severity};
use crate::telemetry::clock::Clock;
use crate::tls::{Changed, Params, Server};

/// TLS towards clients, and what was odd with it at the start.
#[derive(Debug)]
pub(super) struct Secure {
    server: Arc<Server>,
    warnings: Vec<Problem>,
}

/// What is wrong with the certificates of a configuration, for `check`. Blocks.
pub fn check(config: &Config) -> Vec<Problem> {
    match config.tls.clone().map(Secure::load) {
        None => Vec::new(),
        Some(Ok(secure)) => secure.warnings,
        Some(Err(problems)) => problems,
    }
}

impl Secure {
    /// Reads the files. Blocks.
    pub(super) fn load(params: Params) -> Result<Self, Vec<Problem>> {
        let (server, warnings) = Server::load(params, (Clock::system().wall)())?;
        Ok(Self {
            server: Arc::new(server),
            warnings,
        })
    }

    pub(super) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Says what is served with.
    pub(super) fn tell(&self) {
        for problem in &self.warnings {
            tracing::warn!("{problem}");
        }
        for (path, facts) in self.server.certificates() {
            let (name, sha256) = (facts.name(), &facts.sha256);
            match path {
                Some(path) => tracing::info!(name, sha256, path = %path.display(), "TLS"),
                None => tracing::warn!(
                    name,
                    sha256,
                    "TLS with a certificate made for this run; clients cannot know it"
                ),
            }
        }
    }
}

/// The SHA-256 of the certificate that no file has.
pub(super) fn own_fingerprint(server: &Server) -> Option<String> {
    let mut certificates = server.certificates().into_iter();
    let own = certificates.find(|(path, _)| path.is_none());
    own.map(|(_, facts)| facts.sha256)
}

/// Reads the certificates again and says what came of it; what is wrong changes nothing
/// (fault 39). `true` when nothing was wrong. Blocks.
pub(super) fn reload(server: &Server) -> bool {
    match server.reload((Clock::system().wall)()) {
        Ok((changed, warnings)) => {
            for problem in &warnings {
                tracing::warn!("{problem}");
            }
            if changed == Changed::Yes {
                for (_, facts) in server.certificates() {
                    let (name, sha256) = (facts.name(), &facts.sha256);
                    tracing::info!(name, sha256, "certificates were read again");
                }
            }
            true
        }
        Err(problems) => {
            for problem in &problems {
                match problem.severity {
                    Severity::Error => tracing::error!("{problem}"),
                    Severity::Warning => tracing::warn!("{problem}"),
                }
            }
            tracing::error!("the certificates stay what they were");
            false
        }
    }
}

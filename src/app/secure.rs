//! [`Secure`]: the certificates of the listener, loaded, told and read again.

use std::sync::Arc;

use crate::acme;
use crate::config::Config;
use crate::schema::problem::{Problem, Severity};
use crate::telemetry::clock::Clock;
use crate::tls::{Changed, Client, Params, Server};
use crate::upstream::Params as Connections;

/// TLS towards clients, and what was odd with it at the start.
#[derive(Debug)]
pub(super) struct Secure {
    server: Arc<Server>,
    warnings: Vec<Problem>,
}

/// What is wrong with the certificates of a configuration, for `check`. Blocks.
pub fn check(config: &Config) -> Vec<Problem> {
    let mut problems = match config.tls.clone().map(Secure::load) {
        None => Vec::new(),
        Some(Ok(secure)) => secure.warnings,
        Some(Err(problems)) => problems,
    };
    problems.extend(upstreams(config).err().into_iter().flatten());
    let authority = config.acme.clone().map(authority).transpose();
    problems.extend(authority.err().into_iter().flatten());
    problems
}

/// How the authority is spoken to that certificates come from. Blocks.
pub(super) fn authority(params: acme::Params) -> Result<Arc<Client>, Vec<Problem>> {
    Client::load(params.authority, (Clock::system().wall)()).map(Arc::new)
}

/// What connections to every upstream are made with, TLS included; in the order of
/// [`Config::upstreams`]. Blocks.
pub(super) fn upstreams(config: &Config) -> Result<Vec<Connections>, Vec<Problem>> {
    let (mut made, mut problems) = (Vec::new(), Vec::new());
    for params in config.upstreams() {
        match upstream(config, params) {
            Ok(params) => made.push(params),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(made)
    } else {
        Err(problems)
    }
}

/// The same for one of them. Blocks.
pub(super) fn upstream(config: &Config, params: &Connections) -> Result<Connections, Vec<Problem>> {
    let tls = config.upstream_tls.get(&*params.name).cloned();
    let tls = tls.map(|tls| Client::load(tls, (Clock::system().wall)()));
    Ok(Connections {
        tls: tls.transpose()?.map(Arc::new),
        ..params.clone()
    })
}

/// Both halves of TLS, or all that is wrong with either.
pub(super) fn load(config: Config) -> Result<(Option<Secure>, Config), Vec<Problem>> {
    let secure = config.tls.clone().map(Secure::load).transpose();
    match (secure, upstreams(&config)) {
        (Ok(secure), Ok(upstreams)) => {
            let mut config = config;
            for (own, made) in config.upstreams_mut().zip(upstreams) {
                *own = made;
            }
            Ok((secure, config))
        }
        (secure, upstreams) => {
            let mut problems = secure.err().unwrap_or_default();
            problems.extend(upstreams.err().into_iter().flatten());
            Err(problems)
        }
    }
}

/// The same for connections to the application that are made from now on.
pub(super) fn reload_client(client: &Client) -> bool {
    match client.reload((Clock::system().wall)()) {
        Ok(Changed::Yes) => tracing::info!("the certificates for the application were read again"),
        Ok(Changed::No) => {}
        Err(problems) => {
            for problem in &problems {
                tracing::error!("{problem}");
            }
            tracing::error!("the certificates for the application stay what they were");
            return false;
        }
    }
    true
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
    server.own().map(|facts| facts.sha256.clone())
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

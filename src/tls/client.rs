//! [`Client`]: TLS towards the application, and its reload.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::files::{self, File, Pair, Seen};
use super::provider;
use super::server::{self, Changed, Version};
use crate::live::Live;
use crate::schema::problem::{Location, Problem, Severity};

/// What TLS towards the application is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientParams {
    /// The name or address that its certificate has to bear; `None` for the host that is called.
    pub name: Option<String>,
    /// Where that stands.
    pub place: Option<Location>,
    /// Who signs its certificate; those whom the system trusts if empty.
    pub authorities: Vec<File>,
    /// What is shown to it, if it asks who calls.
    pub own: Option<Pair>,
}

/// TLS towards the application; all workers share it.
#[derive(Debug)]
pub struct Client {
    params: ClientParams,
    name: Option<ServerName<'static>>,
    live: Live<Generation>,
}

#[derive(Debug)]
struct Generation {
    config: Arc<ClientConfig>,
    digest: Vec<u8>,
}

/// What files hold that have been read again.
#[derive(Debug)]
pub struct Renewed(Generation);

impl Client {
    /// Reads everything at `now`; all problems if any is an error.
    pub fn load(params: ClientParams, now: SystemTime) -> Result<Self, Vec<Problem>> {
        let named = |name: &String| {
            ServerName::try_from(name.clone()).map_err(|_invalid| {
                let message = format!("`{name}` can be the name of no certificate");
                let problem = Problem::error(params.place.clone(), message);
                vec![problem.with_help("set `server_name` to a host name or an address")]
            })
        };
        let name = params.name.as_ref().map(named).transpose()?;
        let live = Live::new(read(&params, now)?);
        Ok(Self { params, name, live })
    }

    /// What a connection that is made now is made with.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.live.peek().config)
    }

    /// The same for a neighbour that speaks HTTP/1.1.
    pub fn config_http1(&self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.live.peek().config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// The name that the certificate of the application has to bear which is called at `host`;
    /// `None` when that can be the name of no certificate.
    pub fn name_at(&self, host: &str) -> Option<ServerName<'static>> {
        let own = || ServerName::try_from(host.to_owned()).ok();
        self.name.clone().or_else(own)
    }

    /// Reads all files again at `now`, for connections to come; whatever is wrong, everything
    /// stays as it is.
    pub fn reload(&self, now: SystemTime) -> Result<Changed, Vec<Problem>> {
        let renewed = self.prepare(now)?;
        Ok(renewed.map_or(Changed::No, |renewed| {
            self.commit(renewed);
            Changed::Yes
        }))
    }

    /// Reads all files again at `now`; `None` when they hold what they held.
    pub fn prepare(&self, now: SystemTime) -> Result<Option<Renewed>, Vec<Problem>> {
        let generation = read(&self.params, now)?;
        let same = self.live.peek().digest == generation.digest;
        Ok((!same).then_some(Renewed(generation)))
    }

    /// Takes up what was prepared, for connections to come.
    pub fn commit(&self, renewed: Renewed) {
        self.live.publish(renewed.0);
    }

    /// Every file that is read.
    pub fn files(&self) -> Vec<PathBuf> {
        let own = self
            .params
            .own
            .iter()
            .flat_map(|pair| [&pair.cert, &pair.key]);
        let all = own.chain(&self.params.authorities);
        all.map(|file| file.path.clone()).collect()
    }
}

fn read(params: &ClientParams, now: SystemTime) -> Result<Generation, Vec<Problem>> {
    let provider = provider();
    let mut seen = Seen::default();
    let mut problems = Vec::new();
    let roots = if params.authorities.is_empty() {
        of_the_system(params.place.as_ref(), &mut seen, &mut problems)
    } else {
        server::authorities(&params.authorities, &mut seen, &mut problems)
    };
    let own = params
        .own
        .as_ref()
        .and_then(|pair| files::pair(pair, &provider, now, &mut seen, &mut problems));
    if problems.iter().any(|one| one.severity == Severity::Error) {
        return Err(problems);
    }
    let failed = |error: rustls::Error| {
        vec![Problem::error(
            None,
            format!("TLS cannot be set up: {error}"),
        )]
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(server::versions(Version::Tls12))
        .map_err(failed)?
        .with_root_certificates(roots.unwrap_or_else(RootCertStore::empty));
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => builder
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own.key))),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Generation {
        config: Arc::new(config),
        digest: seen.digest(),
    })
}

/// Those whom the system trusts, where distributions keep them.
fn of_the_system(
    place: Option<&Location>,
    seen: &mut Seen,
    problems: &mut Vec<Problem>,
) -> Option<RootCertStore> {
    const BUNDLES: [&str; 4] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ];
    let Some(bundle) = BUNDLES.into_iter().find(|path| Path::new(path).exists()) else {
        let message = "nobody is known who could have signed the certificate of the application";
        let problem = Problem::error(place.cloned(), message);
        problems.push(problem.with_help("name a file in `upstreams.*.tls.ca`"));
        return None;
    };
    let file = File {
        key: "upstreams.*.tls.ca".to_owned(),
        path: bundle.into(),
        place: place.cloned(),
    };
    match files::certificates(&file, seen) {
        Ok(found) => {
            let mut roots = RootCertStore::empty();
            // Some of the oldest are not understood, and are not missed.
            let (_added, _ignored) = roots.add_parsable_certificates(found);
            Some(roots)
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

//! [`Server`]: TLS towards clients, and its reload.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::challenge::Challenges;
use super::choose::Chooser;
use super::facts::{self, Facts};
use super::files::{self, File, Loaded, Pair, Seen};
use super::managed::{self, Managed};
use super::{provider, self_signed};
use crate::live::Live;
use crate::schema::problem::{Problem, Severity};

/// What TLS towards clients is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Certificates, chosen by the names in them; the first one is the default.
    pub certificates: Vec<Pair>,
    /// More of them, whose files are written here.
    pub managed: Vec<Managed>,
    /// When not empty, one for these names is made at the start; for development.
    pub self_signed: Vec<String>,
    /// The oldest version that is spoken.
    pub oldest: Version,
    /// Certificates of clients; not asked for if `None`.
    pub clients: Option<Clients>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// How clients are known by certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Who signs them.
    pub authorities: Vec<File>,
    /// Whether they have to have one.
    pub auth: ClientAuth,
}

/// Whether clients have to have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// One that is shown is verified.
    Optional,
    /// Without one there is no connection.
    Required,
}

/// TLS towards clients; all workers share it.
#[derive(Debug)]
pub struct Server {
    params: Mutex<Params>,
    /// Made once, so that a reload does not change it.
    own: Vec<Loaded>,
    challenges: Arc<Challenges>,
    live: Live<Generation>,
}

/// Everything that one reading of the files gave.
#[derive(Debug)]
struct Generation {
    config: Arc<ServerConfig>,
    certificates: Vec<(Option<PathBuf>, Facts)>,
    digest: Vec<u8>,
}

/// What was read and is not in effect yet.
#[derive(Debug)]
pub struct Next {
    params: Params,
    generation: Generation,
    changed: Changed,
}

impl Next {
    /// Whether it differs from what is in effect.
    pub fn changed(&self) -> Changed {
        self.changed
    }

    /// The certificates' names, each with the fingerprint.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let facts = self.generation.certificates.iter().map(|(_, facts)| facts);
        facts.map(|facts| format!("{} (SHA-256 {})", facts.name(), facts.sha256))
    }
}

/// What a reload came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// New handshakes see something new.
    Yes,
    /// The files are what they were.
    No,
}

impl Server {
    /// Reads everything at `now`; all problems if any is an error, else what is there and its
    /// warnings.
    pub fn load(params: Params, now: SystemTime) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut own = Vec::new();
        if !params.self_signed.is_empty() {
            match self_signed::make(&params.self_signed, &provider(), now) {
                Ok(made) => own.push(made),
                Err(error) => {
                    let message = format!("a self-signed certificate cannot be made: {error}");
                    return Err(vec![Problem::error(None, message)]);
                }
            }
        }
        let (generation, problems) = read(&params, &own, now)?;
        let server = Self {
            params: Mutex::new(params),
            own,
            challenges: Arc::default(),
            live: Live::new(generation),
        };
        Ok((server, problems))
    }

    /// What a handshake that begins now is made with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.live.peek().config)
    }

    /// The certificate that was made for this run, if one was.
    pub fn own(&self) -> Option<&Facts> {
        self.own.first().map(|own| &own.facts)
    }

    /// What authorities are shown that want to see whether a name is ours.
    pub fn challenges(&self) -> &Arc<Challenges> {
        &self.challenges
    }

    /// Reads all files again at `now`. Whatever is wrong with any of them, everything stays as it
    /// is, and all problems are the error; else warnings come along.
    pub fn reload(&self, now: SystemTime) -> Result<(Changed, Vec<Problem>), Vec<Problem>> {
        let params = self.params.lock().unwrap_or_else(PoisonError::into_inner);
        self.publish(&params, now)
    }

    /// The same with other settings, which hold from now on unless something is wrong.
    pub fn replace(
        &self,
        params: Params,
        now: SystemTime,
    ) -> Result<(Changed, Vec<Problem>), Vec<Problem>> {
        let mut held = self.params.lock().unwrap_or_else(PoisonError::into_inner);
        if *held != params {
            let (generation, warnings) = read(&params, &self.own, now)?;
            self.live.publish(generation);
            *held = params;
            return Ok((Changed::Yes, warnings));
        }
        self.publish(&held, now)
    }

    /// Reads the files of other settings, or of the same; nothing is different before it is
    /// [committed](Self::commit).
    pub fn prepare(
        &self,
        params: Params,
        now: SystemTime,
    ) -> Result<(Next, Vec<Problem>), Vec<Problem>> {
        let (generation, warnings) = read(&params, &self.own, now)?;
        let same = *self.params.lock().unwrap_or_else(PoisonError::into_inner) == params
            && self.live.peek().digest == generation.digest;
        let changed = if same { Changed::No } else { Changed::Yes };
        let next = Next {
            params,
            generation,
            changed,
        };
        Ok((next, warnings))
    }

    /// What was prepared holds for the handshakes from now on.
    pub fn commit(&self, next: Next) {
        if next.changed == Changed::Yes {
            let mut params = self.params.lock().unwrap_or_else(PoisonError::into_inner);
            self.live.publish(next.generation);
            *params = next.params;
        }
    }

    fn publish(
        &self,
        params: &Params,
        now: SystemTime,
    ) -> Result<(Changed, Vec<Problem>), Vec<Problem>> {
        let (generation, warnings) = read(params, &self.own, now)?;
        // A new one would make clients forget the sessions that they could have resumed.
        if self.live.peek().digest == generation.digest {
            return Ok((Changed::No, warnings));
        }
        self.live.publish(generation);
        Ok((Changed::Yes, warnings))
    }

    /// The certificates in effect, each with its file if it has one.
    pub fn certificates(&self) -> Vec<(Option<PathBuf>, Facts)> {
        self.live.load().certificates.clone()
    }

    /// Every file that is read.
    pub fn files(&self) -> Vec<PathBuf> {
        let params = self.params.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = params.certificates.iter();
        let pairs = pairs.flat_map(|pair| [&pair.cert, &pair.key]);
        let authorities = params
            .clients
            .iter()
            .flat_map(|clients| &clients.authorities);
        let managed = params.managed.iter().map(|managed| &managed.file);
        pairs
            .chain(managed)
            .chain(authorities)
            .map(|file| file.path.clone())
            .collect()
    }
}

fn read(
    params: &Params,
    own: &[Loaded],
    now: SystemTime,
) -> Result<(Generation, Vec<Problem>), Vec<Problem>> {
    let provider = provider();
    let mut seen = Seen::default();
    let mut problems = Vec::new();
    let mut certificates: Vec<(Option<&Path>, Loaded)> = Vec::new();
    for pair in &params.certificates {
        if let Some(loaded) = files::pair(pair, &provider, now, &mut seen, &mut problems) {
            let is_default = certificates.is_empty();
            problems.extend(odd(pair, &loaded.facts, is_default, now));
            certificates.push((Some(&pair.cert.path), loaded));
        }
    }
    certificates.extend(
        params
            .managed
            .iter()
            .filter_map(|one| managed::load(one, &provider, now, &mut seen, &mut problems)),
    );
    certificates.extend(own.iter().map(|made| (None, made.clone())));
    let clients = params
        .clients
        .as_ref()
        .and_then(|clients| verifier(clients, &provider, &mut seen, &mut problems));
    if problems.iter().any(|one| one.severity == Severity::Error) {
        return Err(problems);
    }
    let loaded: Vec<Loaded> = certificates.iter().map(|(_, one)| one.clone()).collect();
    let config = config(params.oldest, &loaded, clients, provider).map_err(|error| {
        vec![Problem::error(
            None,
            format!("TLS cannot be set up: {error}"),
        )]
    })?;
    let certificates = certificates.into_iter();
    let generation = Generation {
        config: Arc::new(config),
        certificates: certificates
            .map(|(path, loaded)| (path.map(Path::to_owned), loaded.facts))
            .collect(),
        digest: seen.digest(),
    };
    Ok((generation, problems))
}

/// What is probably not meant with a certificate that is sound.
fn odd(pair: &Pair, facts: &Facts, is_default: bool, now: SystemTime) -> Option<Problem> {
    let (key, path) = (&pair.cert.key, pair.cert.path.display());
    let place = pair.cert.place.clone();
    if facts.not_before > now {
        let from = facts::date(facts.not_before);
        let message = format!("`{key}`: `{path}` is not valid before {from}");
        return Some(Problem::warning(place, message).with_help("perhaps a clock is wrong"));
    }
    if !facts.is_nameless() {
        return None;
    }
    let message = format!("`{key}`: `{path}` names no host");
    let help = "clients compare with the names under `subjectAltName`, never with the subject";
    Some(if is_default {
        Problem::warning(place, message).with_help(help)
    } else {
        let message = format!("{message}, so that it would never be chosen");
        Problem::error(place, message).with_help(help)
    })
}

fn verifier(
    clients: &Clients,
    provider: &Arc<CryptoProvider>,
    seen: &mut Seen,
    problems: &mut Vec<Problem>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let roots = authorities(&clients.authorities, seen, problems);
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots?), Arc::clone(provider));
    let builder = match clients.auth {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        ClientAuth::Required => builder,
    };
    match builder.build() {
        Ok(verifier) => Some(verifier),
        Err(error) => {
            let place = clients
                .authorities
                .first()
                .and_then(|file| file.place.clone());
            let message = format!("certificates of clients cannot be verified: {error}");
            problems.push(Problem::error(place, message));
            None
        }
    }
}

/// Those who sign certificates, by all files together.
pub(super) fn authorities(
    files: &[File],
    seen: &mut Seen,
    problems: &mut Vec<Problem>,
) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for file in files {
        match files::certificates(file, seen) {
            Ok(found) => add(&mut roots, file, found, problems),
            Err(problem) => problems.push(problem),
        }
    }
    (!roots.is_empty()).then_some(roots)
}

fn add(
    roots: &mut RootCertStore,
    file: &File,
    found: Vec<CertificateDer<'static>>,
    problems: &mut Vec<Problem>,
) {
    for (index, certificate) in found.into_iter().enumerate() {
        if let Err(error) = roots.add(certificate) {
            let number = index + 1;
            problems.push(file.error(format_args!(
                "holds a certificate, number {number}, that nothing can be verified with: {error}"
            )));
        }
    }
}

fn config(
    oldest: Version,
    certificates: &[Loaded],
    clients: Option<Arc<dyn ClientCertVerifier>>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, rustls::Error> {
    let builder =
        ServerConfig::builder_with_provider(provider).with_protocol_versions(versions(oldest))?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Chooser::new(certificates)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    Ok(config)
}

pub(super) fn versions(oldest: Version) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_12: [&SupportedProtocolVersion; 2] =
        [&rustls::version::TLS13, &rustls::version::TLS12];
    static FROM_13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
    match oldest {
        Version::Tls12 => &FROM_12,
        Version::Tls13 => &FROM_13,
    }
}

//! Certificates from an ACME authority (RFC 8555): asked for, kept on disk, renewed in time.
//!
//! ```text
//! schedule (what is due) -> order (proof, key, chain) -> store (one file) -> tls::Server reads it
//! ```
//!
//! It lives on a thread of its own and can fail without harm: the certificate that is there stays
//! until there is a better one, and what has failed is tried again, later each time. Proofs are
//! shown on the TLS port itself ([`crate::tls::Challenges`]) or on a port of plain HTTP.

mod http01;
mod https;
mod order;
mod schedule;
mod stats;
mod store;
mod work;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

pub use stats::{Counts, Stats};
pub use store::certificate;

use crate::life::task;
use crate::tls;
use http01::Tokens;
use order::Proofs;
use work::Work;

/// What is asked for, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The URL of the authority's directory.
    pub directory: String,
    /// How the authority itself is known.
    pub authority: tls::ClientParams,
    /// A mail address for it.
    pub contact: Option<String>,
    /// Where the account and the certificates are kept.
    pub folder: PathBuf,
    /// The hosts, each with a certificate of its own.
    pub names: Vec<String>,
    /// How it is proved that they are ours.
    pub challenge: Challenge,
}

/// A kind of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By a handshake on the TLS port.
    TlsAlpn,
    /// By plain HTTP at this address.
    Http(SocketAddr),
}

/// What the thread works with.
#[derive(Debug)]
pub struct Start {
    /// What is asked for.
    pub params: Params,
    /// How the authority is spoken to.
    pub client: Arc<tls::Client>,
    /// Who shows the certificates.
    pub server: Arc<tls::Server>,
    /// The port for HTTP-01, where that is the proof.
    pub http: Option<TcpListener>,
    /// What became of it.
    pub stats: Arc<Stats>,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it stops renewals"]
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread.
pub fn start(start: Start) -> io::Result<Running> {
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new()
        .name(String::from("sidegate-acme"))
        .spawn(move || {
            let runtime = match task::local_runtime() {
                Ok(runtime) => runtime,
                Err(error) => {
                    tracing::error!(%error, "certificates cannot be renewed");
                    return;
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    // An error says that the other end is gone, which means the same.
                    _ = stopped => {}
                    () = run(start) => {}
                }
            });
        })?;
    Ok(Running {
        stop: Some(stop),
        thread: Some(thread),
    })
}

async fn run(start: Start) {
    let tokens = Tokens::default();
    let proofs = match start.params.challenge {
        Challenge::TlsAlpn => Proofs::TlsAlpn(Arc::clone(start.server.challenges())),
        Challenge::Http(_) => Proofs::Http(tokens.clone()),
    };
    let mut work = Work::new(
        start.params,
        start.client,
        start.server,
        start.stats,
        proofs,
    );
    let answering = async {
        match start.http {
            Some(listener) => http01::serve(listener, tokens).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = work.keep() => {}
        ended = answering => if let Err(error) = ended {
            tracing::error!(%error, "the port for ACME is out of service");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread for ACME panicked");
        }
    }
}

//! Certificates from an ACME authority: what its thread is started with.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use super::StartError;
use super::secure::{self, Secure};
use crate::acme::{self, Challenge, Running, Start};
use crate::config::Config;
use crate::serve::Listener;

/// Takes the address for its proofs, where that is one of its own.
pub(super) fn bind(
    config: &Config,
    tls: Option<&Secure>,
    socket: Option<TcpListener>,
) -> Result<Option<Start>, StartError> {
    let (Some(params), Some(tls)) = (config.acme.clone(), tls) else {
        return Ok(None);
    };
    let client = secure::authority(params.clone()).map_err(StartError::Certificates)?;
    let http = match (params.challenge, socket) {
        (Challenge::TlsAlpn, _) => None,
        (Challenge::Http(_), Some(socket)) => Some(socket),
        (Challenge::Http(address), None) => {
            let bound = Listener::bind(address).and_then(|listener| listener.socket());
            Some(bound.map_err(|error| StartError::Listen { address, error })?)
        }
    };
    Ok(Some(Start {
        params,
        client,
        server: Arc::clone(tls.server()),
        http,
        stats: Arc::default(),
    }))
}

/// Starts the thread, if certificates are to be asked for.
pub(super) fn start(start: Option<Start>) -> Result<Option<Running>, StartError> {
    let running = start.map(acme::start).transpose();
    running.map_err(StartError::Thread)
}

/// The socket for its proofs, once more.
pub(super) fn socket(start: Option<&Start>) -> io::Result<Option<TcpListener>> {
    let socket = start.and_then(|start| start.http.as_ref());
    socket.map(TcpListener::try_clone).transpose()
}

//! Replacing a gateway that runs, and being replaced: what `--takeover` and `lifecycle.takeover` do
//! with [`crate::life::takeover`].

use std::future::{Future, pending};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use super::exit;
use crate::acme::Challenge;
use crate::app::signal::Stop;
use crate::app::{Bound, Running, Sockets, StartError};
use crate::config::Config;
use crate::life::takeover::{Handed, Offer, Predecessor, Successor, ask};

/// How long a gateway may take over its answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long we may take to be ready where the other one is.
const START: Duration = Duration::from_secs(60);

/// How long connections stay open at a gateway that was replaced and are not used: who opens one
/// may be slow to say what it wants.
const SILENCE: Duration = Duration::from_secs(5);

/// Why nothing was taken over, or nothing can be.
#[derive(Debug)]
pub(super) enum Refused {
    /// Nobody can be asked without it.
    NoPlace,
    /// It did not work.
    Taking(io::Error),
    /// Nothing can be offered.
    Offering(PathBuf, io::Error),
}

impl Refused {
    /// Says it; the exit code.
    pub(super) fn tell(&self, err: &mut dyn Write) -> io::Result<u8> {
        match self {
            Self::NoPlace => {
                let help = "help: set it to the path at which the gateway that runs offers them";
                writeln!(
                    err,
                    "error: `--takeover` needs `lifecycle.takeover`\n{help}"
                )?;
                return Ok(exit::CONFIG);
            }
            Self::Taking(error) => writeln!(err, "error: nothing was taken over: {error}")?,
            Self::Offering(path, error) => {
                let path = path.display();
                writeln!(err, "error: sockets cannot be offered at {path}: {error}")?;
            }
        }
        Ok(exit::UNAVAILABLE)
    }
}

/// The addresses as they are configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    ops: Option<SocketAddr>,
    acme: Option<SocketAddr>,
}

impl Asked {
    pub(super) fn of(config: &Config) -> Self {
        let acme = config.acme.as_ref().map(|acme| acme.challenge);
        Self {
            listen: Some(config.listen),
            admin: config.admin,
            ops: config.ops,
            acme: match acme {
                Some(Challenge::Http(address)) => Some(address),
                Some(Challenge::TlsAlpn) | None => None,
            },
        }
    }
}

/// Why a gateway ends.
pub(super) enum End {
    Signal(&'static str),
    Replaced(Successor),
}

/// Takes the sockets that a running gateway offers and that the configuration has a use for.
/// `None` when there is no such gateway.
pub(super) fn take(config: &Config, sockets: &mut Sockets) -> Result<Option<Predecessor>, Refused> {
    let path = config.takeover.as_deref().ok_or(Refused::NoPlace)?;
    let answer = ask(path, PATIENCE).map_err(Refused::Taking)?;
    let Some(mut predecessor) = answer else {
        return Ok(None);
    };
    let asked = Asked::of(config);
    for handed in predecessor.sockets.drain(..) {
        let (wanted, place) = match handed.name.as_str() {
            "listen" => (asked.listen, &mut sockets.listen),
            "admin" => (asked.admin, &mut sockets.admin),
            "ops" => (asked.ops, &mut sockets.ops),
            "acme" => (asked.acme, &mut sockets.acme),
            _ => continue,
        };
        if place.is_none() && wanted.is_some_and(|wanted| fits(wanted, &handed)) {
            *place = Some(handed.socket);
        }
    }
    Ok(Some(predecessor))
}

/// Whether a socket is the one that an address means.
fn fits(wanted: SocketAddr, handed: &Handed) -> bool {
    let real = handed.socket.local_addr();
    handed.asked == wanted.to_string() || real.is_ok_and(|real| real == wanted)
}

/// Starts, and serves what the other one has served until now once that is possible. As long as
/// it is not, and if it never is, the other one goes on.
pub(super) async fn succeed(
    bound: Bound,
    predecessor: Predecessor,
    stop: &mut Stop,
) -> Result<Result<Running, StartError>, Refused> {
    let running = match bound.succeed(predecessor.ready).start() {
        Ok(running) => running,
        Err(error) => return Ok(Err(error)),
    };
    let failed = |message: String| Err(Refused::Taking(io::Error::other(message)));
    if predecessor.ready {
        tokio::select! {
            signal = stop.told() => return failed(signal.to_owned()),
            ready = tokio::time::timeout(START, running.is_ready()) => {
                if ready.is_err() {
                    let missing = running.ready().missing().join(", ");
                    return failed(format!("not ready after {START:?}: waiting for {missing}"));
                }
            }
        }
    }
    running.open();
    let (version, pid) = (predecessor.version.clone(), predecessor.pid);
    match predecessor.replace() {
        Ok(()) => tracing::info!(version, pid, "took over; the gateway before drains"),
        Err(error) => tracing::warn!(%error, version, pid, "took over; the one before is silent"),
    }
    Ok(Ok(running))
}

/// Offers the sockets of a gateway, if it is told where.
#[allow(clippy::unused_async, reason = "sockets are registered with a runtime")]
pub(super) async fn offer(
    path: Option<PathBuf>,
    asked: Asked,
    sockets: Sockets,
    replace: bool,
) -> Result<Option<Offer>, Refused> {
    let Some(path) = path else {
        return Ok(None);
    };
    let handed = |name: &str, asked: Option<SocketAddr>, socket: Option<TcpListener>| {
        Some(Handed {
            name: name.to_owned(),
            asked: asked?.to_string(),
            socket: socket?,
        })
    };
    let all = [
        handed("listen", asked.listen, sockets.listen),
        handed("admin", asked.admin, sockets.admin),
        handed("ops", asked.ops, sockets.ops),
        handed("acme", asked.acme, sockets.acme),
    ];
    let offer = Offer::open(&path, all.into_iter().flatten().collect(), replace);
    offer
        .map(Some)
        .map_err(|error| Refused::Offering(path, error))
}

/// An offer of a gateway that serves in any case.
pub(super) fn anyway(offer: Result<Option<Offer>, Refused>) -> Option<Offer> {
    offer.unwrap_or_else(|refused| {
        tracing::warn!(?refused, "nobody can take over from here");
        None
    })
}

/// Waits for a signal or a successor.
pub(super) async fn end(stop: &mut Stop, offer: Option<Offer>, running: &Running) -> End {
    let taken = taken(offer, running);
    tokio::select! {
        signal = stop.told() => End::Signal(signal),
        successor = taken => End::Replaced(successor),
    }
}

fn taken(offer: Option<Offer>, running: &Running) -> impl Future<Output = Successor> {
    let (ready, drain) = (running.ready().clone(), running.drain().clone());
    async move {
        match offer {
            Some(offer) => {
                let is_ready = || ready.is_ready() && !drain.is_draining();
                offer.taken(is_ready).await
            }
            None => pending().await,
        }
    }
}

/// Ends a gateway whose successor serves.
pub(super) fn leave(running: Running, successor: &Successor) {
    let patience = running.config().drain_timeout;
    let (version, pid) = (&successor.version, successor.pid);
    tracing::info!(version, pid, ?patience, "replaced; draining");
    running.leave();
    if !running.shutdown_after(patience, SILENCE.min(patience)) {
        tracing::warn!("what was still in flight was ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_fits_what_it_was_made_for_and_where_it_is() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let real = socket.local_addr().unwrap();
        let handed = Handed {
            name: "listen".to_owned(),
            asked: "127.0.0.1:0".to_owned(),
            socket,
        };
        for (wanted, expected) in [
            ("127.0.0.1:0".parse().unwrap(), true),
            (real, true),
            ("0.0.0.0:0".parse().unwrap(), false),
            (SocketAddr::from(([127, 0, 0, 1], 1)), false),
        ] {
            assert_eq!(fits(wanted, &handed), expected, "{wanted}");
        }
    }
}

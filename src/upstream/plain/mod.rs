//! Plain HTTP/1.1 towards the application, for what is no call (`rest.fallback`).
//!
//! Each exchange has a connection to itself while it lasts; then the connection waits for the
//! next one. Bodies of both directions are taken as fast as the other side takes them. A 101
//! makes the connection a tunnel.
//!
//! - `connection` is one connection and who drives it;
//! - `answer` is the body of an answer, which gives its connection back;
//! - `tunnel` is what becomes of a connection after a 101.

mod answer;
mod connection;
mod tunnel;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{Params, Target};
use crate::call::{Body, Code, Fault};
use connection::{Connection, Sent};

/// How long a connection may wait for its next exchange: less than what servers usually allow.
const IDLE: Duration = Duration::from_secs(4);

/// The application's plain HTTP; clones share its connections.
#[derive(Clone)]
pub struct Plain(Rc<Pool>);

struct Pool {
    params: Params,
    idle: RefCell<VecDeque<(Connection, Instant)>>,
    /// One for each exchange that runs.
    places: Arc<Semaphore>,
}

/// A connection that is in use.
struct Lease {
    connection: Connection,
    pool: Rc<Pool>,
    place: OwnedSemaphorePermit,
}

impl Plain {
    /// Connections to `params.target`, made when they are needed.
    pub fn new(params: Params) -> Self {
        let places = Arc::new(Semaphore::new(params.max_connections));
        Self(Rc::new(Pool {
            params,
            idle: RefCell::default(),
            places,
        }))
    }

    /// Sends a request and waits for the head of the answer.
    pub async fn exchange(self, request: Request<Body>) -> Result<Response<Body>, Fault> {
        let mut request = request;
        let mut offer = request.body_mut().take_offer();
        // What is taken from the idle ones may have been closed meanwhile; a fresh one is not.
        loop {
            let (mut lease, fresh) = self.lease().await?;
            match lease.connection.send(request).await {
                Sent::Answered(response)
                    if response.status() == StatusCode::SWITCHING_PROTOCOLS =>
                {
                    let Some(client) = offer.take() else {
                        return Err(broken("the plain HTTP port changed the protocol unasked"));
                    };
                    let (head, _) = response.into_parts();
                    let stream = lease.connection.into_stream().await;
                    let (stream, early) =
                        stream.ok_or_else(|| broken("the plain HTTP port broke a tunnel off"))?;
                    let body = tunnel::open(stream, early, client, lease.place);
                    return Ok(Response::from_parts(head, body));
                }
                Sent::Answered(response) => {
                    return Ok(response.map(|incoming| answer::body(incoming, lease)));
                }
                Sent::Unsent(again) if !fresh => request = again,
                Sent::Unsent(_) => {
                    return Err(broken("the plain HTTP port closed the connection"));
                }
                Sent::Failed(fault) => return Err(fault),
            }
        }
    }

    async fn lease(&self) -> Result<(Lease, bool), Fault> {
        let pool = &self.0;
        let patience = pool.params.connect_timeout;
        let waiting = Arc::clone(&pool.places).acquire_owned();
        let Ok(Ok(place)) = tokio::time::timeout(patience, waiting).await else {
            return Err(Fault::unavailable(
                "FALLBACK_BUSY",
                "the plain HTTP port has too many requests already",
            ));
        };
        let lease = |connection| Lease {
            connection,
            pool: Rc::clone(pool),
            place,
        };
        if let Some(connection) = pool.take_idle() {
            return Ok((lease(connection), false));
        }
        let connecting = Connection::open(&pool.params);
        let connected = match tokio::time::timeout(patience, connecting).await {
            Ok(connected) => connected,
            Err(_elapsed) => Err(format!("no connection within {patience:?}")),
        };
        let connection = connected.map_err(|error| {
            Fault::unavailable(
                "FALLBACK_UNREACHABLE",
                "the plain HTTP port cannot be reached",
            )
            .with_cause(error)
        })?;
        Ok((lease(connection), true))
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.0.params.target
    }
}

impl Pool {
    /// The one that was used last; the others may age.
    fn take_idle(&self) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = self.idle.borrow_mut();
        idle.retain(|(connection, since)| connection.is_open() && now - *since < IDLE);
        idle.pop_back().map(|(connection, _)| connection)
    }
}

impl Lease {
    /// The exchange is complete: the connection may have another.
    fn give_back(self) {
        const MOST_IDLE: usize = 32;
        let mut idle = self.pool.idle.borrow_mut();
        if self.connection.is_open() {
            idle.push_back((self.connection, Instant::now()));
        }
        if idle.len() > MOST_IDLE {
            idle.pop_front();
        }
    }
}

/// The far side did not keep to HTTP: 502.
fn broken(message: &'static str) -> Fault {
    Fault::upstream(Code::Unavailable, "FALLBACK_BROKEN", message)
        .with_http(StatusCode::BAD_GATEWAY)
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain")
            .field("target", &self.0.params.target)
            .finish_non_exhaustive()
    }
}

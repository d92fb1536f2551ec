//! What each endpoint says of its own health: by `grpc.health.v1.Health/Watch`, or by `Check` now and
//! then where there is no `Watch`.
//!
//! One that clearly says NOT_SERVING gets no calls while another does; readiness is taken away when
//! all say so. One without the service, or that cannot be asked, is judged by its connection, which
//! somebody else watches.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http_body::Body as _;
use prost::Message;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::stack;
use crate::call::record::{CallRecord, Sink};
use crate::call::{Body, Call, Code, Deadline, Metadata, Peer, Record, Status};
use crate::life::ready::{Condition, Held, Ready};
use crate::life::task::{self, Task};
use crate::schema::Schema;
use crate::schema::builtin::pb::health::HealthCheckResponse;
use crate::schema::builtin::pb::health::health_check_response::ServingStatus;
use crate::upstream::{Endpoint, Upstreams};
use crate::wire::frame::{Deframer, Rules};

/// How soon an app is asked again whose answer has ended.
const PAUSE: Duration = Duration::from_secs(1);

/// How long one watch lasts: an application that stops gracefully waits for its calls to end, and
/// one that has a successor at the same place would wait for ever.
const RENEW: Duration = Duration::from_secs(10);

/// How soon a watch is given up when the application takes no new calls.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How an endpoint is asked to say whenever it is different.
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// How it is asked to say it once, how often, and how long it may take.
const CHECK: &str = "/grpc.health.v1.Health/Check";
const CHECK_AGAIN: Duration = Duration::from_secs(2);
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers are a number each.
const ANSWER_BYTES: usize = 1024;

/// Asks every endpoint, and keeps [`Condition::Health`] as long as one of them does not say that it
/// does not serve; for as long as the gateway runs.
#[allow(
    clippy::infinite_loop,
    reason = "it ends with its task, which somebody owns"
)]
pub(super) async fn follow(upstreams: Upstreams, own: Arc<Schema>, ready: Ready) {
    let mut held = Some(ready.hold(Condition::Health));
    let news = Rc::new(Notify::new());
    let mut asked: Vec<(Arc<Endpoint>, Task<()>)> = Vec::new();
    loop {
        let endpoints = upstreams.endpoints();
        asked.retain(|(one, _)| endpoints.iter().any(|known| Arc::ptr_eq(known, one)));
        for endpoint in &*endpoints {
            let mut known = asked.iter();
            if !known.any(|(known, _)| Arc::ptr_eq(known, endpoint))
                && let Some(only) = upstreams.only(endpoint)
            {
                let told = Told {
                    endpoint: Arc::clone(endpoint),
                    news: Rc::clone(&news),
                };
                let asking = follow_one(only, Arc::clone(&own), told);
                let task = task::spawn_local("health of an endpoint", asking);
                asked.push((Arc::clone(endpoint), task));
            }
        }
        let serves = endpoints.is_empty() || endpoints.iter().any(|one| one.serves());
        tell(serves, &mut held, &ready);
        // An error means that there is no news.
        drop(timeout(LOOK_AGAIN, news.notified()).await);
    }
}

/// Who is told what an endpoint says; it may be called again when nobody asks any more.
struct Told {
    endpoint: Arc<Endpoint>,
    news: Rc<Notify>,
}

impl Told {
    fn say(&self, serves: bool) {
        if self.endpoint.say(serves) {
            let endpoint = self.endpoint.name();
            tracing::info!(%endpoint, serves, "the endpoint says whether it serves");
            self.news.notify_one();
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.endpoint.say(true);
    }
}

async fn follow_one(upstreams: Upstreams, own: Arc<Schema>, told: Told) {
    let mut connections = upstreams.connected();
    loop {
        // The sender lives as long as the connections, which this function owns.
        if connections.wait_for(|made| *made > 0).await.is_err() {
            return;
        }
        let _seen = *connections.borrow_and_update();
        let watching = ask(&upstreams, &own, WATCH, |serves| told.say(serves));
        let mut ended = tokio::select! {
            ended = watching => ended,
            () = until_old(&upstreams) => Ended::Old,
        };
        if let Ended::Unimplemented = ended {
            ended = check(&upstreams, &own, &told).await;
        }
        if let Ended::Old = ended {
            // What was said last holds until the next word.
            continue;
        }
        told.say(true);
        match ended {
            // It has nothing to say; another version of it may.
            Ended::Unknown | Ended::Unimplemented => {
                if connections.changed().await.is_err() {
                    return;
                }
            }
            Ended::Broken | Ended::Old => {}
        }
        sleep(PAUSE).await;
    }
}

/// Asks again and again, for as long as there are answers.
async fn check(upstreams: &Upstreams, own: &Arc<Schema>, told: &Told) -> Ended {
    loop {
        let mut answered = false;
        let asking = ask(upstreams, own, CHECK, |serves| {
            answered = true;
            told.say(serves);
        });
        let ended = timeout(CHECK_TIMEOUT, asking).await;
        match ended {
            Ok(Ended::Broken) if answered => sleep(CHECK_AGAIN).await,
            Ok(ended) => return ended,
            Err(_elapsed) => return Ended::Broken,
        }
    }
}

/// Waits until the application says that it goes, or until it is time to ask anew.
async fn until_old(upstreams: &Upstreams) {
    let renew = Instant::now() + RENEW;
    sleep(LOOK_AGAIN).await;
    while upstreams.is_connected() && Instant::now() < renew {
        sleep(LOOK_AGAIN).await;
    }
}

fn tell(serves: bool, held: &mut Option<Held>, ready: &Ready) {
    if serves == held.is_some() {
        return;
    }
    *held = serves.then(|| ready.hold(Condition::Health));
    if serves {
        tracing::info!("the application says that it serves");
    } else {
        tracing::warn!("the application says that it does not serve: not ready");
    }
}

/// How watching has ended.
enum Ended {
    /// The app has no such service.
    Unknown,
    /// It has no such method.
    Unimplemented,
    Broken,
    /// It is to be begun anew.
    Old,
}

/// Asks by one of the two methods, and tells every answer.
async fn ask(
    upstreams: &Upstreams,
    own: &Arc<Schema>,
    path: &'static str,
    mut tell: impl FnMut(bool),
) -> Ended {
    let reply = stack::direct(upstreams)(call(own, path)).await;
    let Ok(mut reply) = reply else {
        return Ended::Broken;
    };
    if let Some(status) = reply.trailers_only.as_ref().and_then(Status::from_trailers) {
        return ended(status.code);
    }
    let mut answers = Deframer::new(Rules::grpc(ANSWER_BYTES));
    loop {
        let frame = poll_fn(|context| Pin::new(&mut reply.body).poll_frame(context)).await;
        let Some(Ok(frame)) = frame else {
            return Ended::Broken;
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                let status = Status::from_trailers(&trailers);
                return status.map_or(Ended::Broken, |status| ended(status.code));
            }
        };
        answers.push(data);
        loop {
            match answers.next() {
                Ok(Some(answer)) => match HealthCheckResponse::decode(answer.payload) {
                    Ok(answer) => tell(answer.status() != ServingStatus::NotServing),
                    Err(_unreadable) => return Ended::Unknown,
                },
                Ok(None) => break,
                Err(_unreadable) => return Ended::Unknown,
            }
        }
    }
}

fn ended(code: Code) -> Ended {
    match code {
        Code::Unimplemented => Ended::Unimplemented,
        Code::NotFound | Code::PermissionDenied | Code::Unauthenticated => Ended::Unknown,
        _ => Ended::Broken,
    }
}

/// Nobody remembers the gateway's own calls.
struct Forget;

impl Sink for Forget {
    fn finished(&self, _record: &CallRecord) {}
}

/// Asks for the health of the app as a whole, which is an empty message.
fn call(own: &Arc<Schema>, path: &'static str) -> Call {
    const EMPTY: Bytes = Bytes::from_static(&[0; 5]);
    let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let peer = Rc::new(Peer::new(nobody, nobody, false));
    let (head, ()) = http::Request::new(()).into_parts();
    let record = CallRecord::new(Instant::now().into_std(), peer, &head);
    Call {
        schema: Arc::clone(own),
        method: None,
        path: PathAndQuery::from_static(path),
        authority: None,
        metadata: Metadata::new(),
        body: Body::whole(EMPTY, None),
        deadline: Deadline::NEVER,
        policy: Arc::clone(&own.default_policy),
        record: Record::new(record, Arc::new(Forget)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_follows_what_is_said_and_holds_once() {
        let ready = Ready::new();
        let mut held = Some(ready.hold(Condition::Health));
        for (serves, expected) in [(true, true), (false, false), (false, false), (true, true)] {
            tell(serves, &mut held, &ready);
            assert_eq!(ready.holds(Condition::Health), expected);
        }
        drop(held);
        assert!(!ready.holds(Condition::Health));
    }
}

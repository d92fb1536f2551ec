//! `/tap`: calls as they end, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::StatusCode;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::Views;
use super::guard::refuse;
use crate::telemetry::tap::{Filter, Listening};

/// How often a listener is told of calls that it missed.
const TELL: Duration = Duration::from_secs(1);

/// How often a silent connection shows that it lives.
const ALIVE: Duration = Duration::from_secs(10);

/// Which calls are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    route: Option<String>,
    rpc: Option<String>,
    status: Option<String>,
    #[serde(default)]
    errors: String,
}

/// Calls until the client leaves: `event: call` each, and `event: dropped` with how many a client
/// that does not read fast enough has missed.
pub(super) async fn tap(State(views): State<Arc<Views>>, asked: Query<Asked>) -> Response {
    let Query(asked) = asked;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = Filter {
        route: given(asked.route),
        rpc: given(asked.rpc),
        status: given(asked.status),
        errors: match &*asked.errors {
            "" | "0" | "false" => false,
            "1" | "true" => true,
            _ => {
                let message = "`errors` is true or false";
                return refuse(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message);
            }
        },
    };
    let Some(listening) = views.telemetry.tap().listen(filter) else {
        let message = "too many listen already; close a tap";
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "RESOURCE_EXHAUSTED",
            message,
        );
    };
    let told = Told {
        listening,
        dropped: 0,
        look: Instant::now() + TELL,
        begun: false,
    };
    let events = stream::unfold(told, |mut told| async move {
        let event = told.next().await?;
        Some((Ok::<_, Infallible>(event), told))
    });
    let alive = KeepAlive::new().interval(ALIVE);
    Sse::new(events).keep_alive(alive).into_response()
}

/// What a listener was told so far.
struct Told {
    listening: Listening,
    dropped: u64,
    /// When to look whether it missed something.
    look: Instant,
    begun: bool,
}

impl Told {
    async fn next(&mut self) -> Option<Event> {
        if !self.begun {
            // So that the client knows from when on it listens.
            self.begun = true;
            return Some(Event::default().comment("listening"));
        }
        loop {
            tokio::select! {
                line = self.listening.next() => {
                    let line = line?;
                    return Some(Event::default().event("call").data(line.trim_end()));
                }
                () = sleep_until(self.look) => {
                    self.look = Instant::now() + TELL;
                    let dropped = self.listening.dropped();
                    let missed = dropped - self.dropped;
                    self.dropped = dropped;
                    if missed > 0 {
                        let data = format!("{{\"dropped\":{missed}}}");
                        return Some(Event::default().event("dropped").data(data));
                    }
                }
            }
        }
    }
}

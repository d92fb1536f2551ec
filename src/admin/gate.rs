//! [`Gate`]: when the admin port accepts, where one process replaces another on the same sockets.
//!
//! Whoever comes later must not answer that it is not ready yet while the other one is; and who
//! was replaced must not answer that it drains once its successor serves.

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::json;
use tokio::sync::watch;

/// Whether connections are accepted. Clones are the same gate.
#[derive(Clone, Debug)]
pub(super) struct Gate(watch::Sender<Stage>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Closed,
    Open,
    /// Another process accepts on these sockets.
    Left,
}

impl Gate {
    /// Open, or closed until it is [opened](Self::open).
    pub(super) fn new(open: bool) -> Self {
        let stage = if open { Stage::Open } else { Stage::Closed };
        Self(watch::Sender::new(stage))
    }

    pub(super) fn open(&self) {
        self.reach(Stage::Open);
    }

    /// Nothing is accepted any more; connections that are there get their answers.
    pub(super) fn leave(&self) {
        self.reach(Stage::Left);
    }

    fn reach(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let later = *now < stage;
            *now = stage.max(*now);
            later
        });
    }

    /// Waits until connections are accepted; for ever when others do.
    pub(super) async fn opened(&self) {
        self.is(Stage::Open).await;
    }

    /// Waits until others accept.
    pub(super) async fn left(&self) {
        self.is(Stage::Left).await;
    }

    async fn is(&self, stage: Stage) {
        let mut stages = self.0.subscribe();
        if stages.wait_for(|now| *now == stage).await.is_err() {
            // The sender is this gate's own, so it cannot be gone.
            std::future::pending::<()>().await;
        }
    }
}

/// Sends those whose connections are still here to the successor, which serves at this address.
pub(super) async fn send_on(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let has_left = || *gate.0.borrow() == Stage::Left;
    let mut response = if has_left() && request.uri().path() == "/readyz" {
        Json(json!({"ready": true, "handed_over": true})).into_response()
    } else {
        next.run(request).await
    };
    if has_left() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn it_opens_and_is_left_and_never_the_other_way() {
        let gate = Gate::new(false);
        assert!(gate.opened().now_or_never().is_none());
        gate.open();
        assert!(gate.opened().now_or_never().is_some());
        assert!(gate.left().now_or_never().is_none());
        let same = gate.clone();
        same.leave();
        gate.open();
        assert!(gate.left().now_or_never().is_some());
        assert!(gate.opened().now_or_never().is_none());
    }
}

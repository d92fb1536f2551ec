//! `lifecycle.wait_for_app`: requests that come before anybody knows what the app serves wait for
//! that, instead of being told at once.
//!
//! What the schema knows already waits elsewhere, for a connection ([`crate::upstream`]).

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::live::Live;
use crate::schema::{Reflection, Schema};
use crate::serve::Handler;

/// How often it is looked whether the app has answered.
const LOOK: Duration = Duration::from_millis(20);

/// The same handler, with patience; without any it is the handler itself.
pub(super) fn patient(handler: Handler, live: Arc<Live<Schema>>, patience: Duration) -> Handler {
    if patience.is_zero() {
        return handler;
    }
    Rc::new(move |peer, request| {
        // The gateway's own services answer for an app that is away.
        if !is_pending(&live) || request.uri().path().starts_with("/grpc.") {
            return handler(peer, request);
        }
        let (handler, live) = (Rc::clone(&handler), Arc::clone(&live));
        Box::pin(async move {
            let until = Instant::now() + patience;
            while is_pending(&live) && Instant::now() < until {
                sleep(LOOK).await;
            }
            handler(peer, request).await
        })
    })
}

fn is_pending(live: &Live<Schema>) -> bool {
    live.peek().reflection == Reflection::Pending
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};

    use super::*;
    use crate::call::{Body, Peer};
    use crate::schema::compile::{Input, compile};

    fn schema(reflection: Reflection) -> Schema {
        let input = Input {
            reflection,
            ..Input::default()
        };
        compile(&input).0
    }

    async fn answered(handler: &Handler, path: &'static str) -> Duration {
        let began = Instant::now();
        let at = ([127, 0, 0, 1], 1).into();
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = path.parse().unwrap();
        let response = handler(Rc::new(Peer::new(at, at, false)), request).await;
        assert_eq!(response.status(), 200);
        began.elapsed()
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn requests_wait_for_the_schema_and_not_for_ever() {
        let live = Arc::new(Live::new(schema(Reflection::Pending)));
        let plain: Handler =
            Rc::new(|_, _| Box::pin(std::future::ready(Response::new(Body::empty()))));
        let five = Duration::from_secs(5);
        let handler = patient(plain, Arc::clone(&live), five);
        assert_eq!(answered(&handler, "/x").await, five);
        assert_eq!(
            answered(&handler, "/grpc.health.v1.Health/Check").await,
            Duration::ZERO
        );
        let asking = answered(&handler, "/x");
        let coming = async {
            sleep(Duration::from_secs(1)).await;
            live.publish(schema(Reflection::Gateway));
        };
        let (took, ()) = tokio::join!(asking, coming);
        assert!(took < Duration::from_secs(1) + 2 * LOOK, "{took:?}");
        assert_eq!(answered(&handler, "/x").await, Duration::ZERO);
    }
}

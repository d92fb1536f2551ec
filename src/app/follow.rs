//! Asks the app what it serves, whenever it may have something new to say.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::schemas::{Schemas, ask};
use crate::call::{Code, Fault};
use crate::life::ready::Ready;
use crate::upstream::Upstreams;

/// How soon an app that could not be asked is asked again, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often an app that serves no reflection is asked whether it does by now.
const SLOWLY: Duration = Duration::from_secs(60);

/// Keeps the schema what the app says it is, for as long as it is polled.
#[allow(
    clippy::infinite_loop,
    reason = "it ends with its task, which somebody owns"
)]
pub(super) async fn follow(
    schemas: Rc<RefCell<Schemas>>,
    upstreams: Upstreams,
    interval: Option<Duration>,
    ready: Ready,
) {
    let mut connections = upstreams.connected();
    let mut failures = Failures::default();
    loop {
        // Marked before asking: what connects meanwhile is a reason to ask again.
        let _seen = *connections.borrow_and_update();
        let answer = ask(&upstreams).await;
        let again = match answer {
            Ok(reflected) => {
                failures = Failures::default();
                schemas.borrow_mut().hear_schema(reflected, &ready);
                interval
            }
            // The app is there: it has no more to say, and native calls can pass.
            Err(fault) if fault.code() == Code::Unimplemented => {
                if !schemas.borrow_mut().hear_nothing(&ready) {
                    failures.tell(&fault);
                }
                // Some servers say so while they start, or by mistake.
                Some(interval.unwrap_or(SLOWLY))
            }
            Err(fault) => {
                failures.tell(&fault);
                Some(failures.pause())
            }
        };
        let waiting = async {
            match again {
                Some(again) => sleep(again).await,
                None => std::future::pending().await,
            }
        };
        // A new connection may lead to a new version of the app. The watch ends only with the
        // connections, which this function owns. An app that breaks every connection over
        // the question is not asked without a pause.
        tokio::select! {
            () = waiting => {}
            Ok(()) = connections.changed() => sleep(FIRST_PAUSE).await,
        }
    }
}

/// Failures in a row: told when they change, and followed by longer and longer pauses.
#[derive(Debug, Default)]
struct Failures {
    reason: Option<&'static str>,
    pause: Option<Duration>,
}

impl Failures {
    fn tell(&mut self, fault: &Fault) {
        if self.reason.replace(fault.reason()) == Some(fault.reason()) {
            tracing::debug!(error = %fault, "the application still cannot be asked for its schema");
        } else {
            tracing::warn!(error = %fault, "the application cannot be asked for its schema");
        }
    }

    fn pause(&mut self) -> Duration {
        let pause = self.pause.unwrap_or(FIRST_PAUSE);
        self.pause = Some((pause * 2).min(LONGEST_PAUSE));
        pause
    }
}

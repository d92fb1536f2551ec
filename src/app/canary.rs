//! Looks after splits: takes a new side back that does worse than the others, and lets its share
//! grow by steps.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::schema::split::{Event, Split};

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(200);

/// Looks at the splits of the configuration in effect, for as long as it is polled; it sleeps while
/// there are none.
pub(super) async fn look_after(mut config: watch::Receiver<Arc<Config>>) {
    loop {
        let current = Arc::clone(&config.borrow_and_update());
        let watched = |split: &&Arc<Split>| split.plan.guard.is_some() || split.plan.ramp.is_some();
        let splits: Vec<&Arc<Split>> = current.splits.iter().filter(watched).collect();
        if splits.is_empty() {
            if config.changed().await.is_err() {
                return;
            }
            continue;
        }
        let now = Instant::now().into_std();
        for split in splits {
            if let Some(event) = split.tick(now) {
                tell(split, &event);
            }
        }
        sleep(LOOK).await;
    }
}

fn tell(split: &Split, event: &Event) {
    let route = &*split.plan.route;
    let side = split.upstream(split.plan.new);
    let upstream = side.map_or("", |name| &**name);
    match event {
        Event::Step { percent } => {
            tracing::info!(route, upstream, percent, "the new side gets a larger share");
        }
        Event::RolledBack { why } => {
            tracing::error!(route, upstream, %why, "the new side is taken back");
        }
    }
}

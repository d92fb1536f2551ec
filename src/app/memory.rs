//! Watches how much of the memory that a cgroup gives is used, so that nothing new is begun when it is
//! short (fault 22).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::config::Config;

/// How often it is looked at. The files are the kernel's, and small.
const EVERY: Duration = Duration::from_millis(50);

/// Watches for as long as it is polled.
pub(super) async fn watch(mut configs: watch::Receiver<Arc<Config>>) {
    loop {
        let config = Arc::clone(&configs.borrow_and_update());
        let Some(memory) = &config.memory else {
            config.loads.set_short(false);
            if configs.changed().await.is_err() {
                return;
            }
            continue;
        };
        if let Some(used) = memory.used() {
            let short = memory.is_short(used);
            if config.loads.set_short(short) {
                let limit = memory.limit();
                if short {
                    tracing::warn!(used, limit, "memory is short: calls are refused");
                } else {
                    tracing::info!(used, limit, "memory is no longer short");
                }
            }
        }
        sleep(EVERY).await;
    }
}

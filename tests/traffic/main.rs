//! Where calls go when there is more than one upstream.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failing test may panic"
)]

mod app;
#[path = "../../examples/canary/demo.rs"]
mod demo;
mod scene;
mod several;
mod split;

use std::time::Duration;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// How long anything that has to happen may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The demonstration in a short form.
#[test]
fn a_bad_release_is_taken_back_with_no_more_errors_than_its_share() {
    run(async {
        let showing = demo::run(Duration::from_millis(500), |_| {});
        let told = Box::pin(showing).await.unwrap();
        assert!(told.is_sound(), "{told:?}");
        assert!(
            told.bad.1 > 0 && told.took < Duration::from_secs(60),
            "{told:?}"
        );
    });
}

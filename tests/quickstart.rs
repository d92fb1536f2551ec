//! The first thing a newcomer runs, as a test: every call of the transcript is answered as the
//! README shows it.

#[path = "../examples/bookstore/mod.rs"]
mod bookstore;
#[path = "../examples/quickstart/smoke.rs"]
mod smoke;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_transcript_holds() {
    if let Err(error) = smoke::run(|_line| {}).await {
        panic!("{error}");
    }
}

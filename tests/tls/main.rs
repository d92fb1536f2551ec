//! TLS, towards clients and towards the application: a real gateway, a client by rustls, and an application behind
//! `rest.fallback` that answers with what it was asked.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "a failing test may panic, and its servers end with their runtime"
)]

mod app;
mod authority;
mod client;
mod gateway;
mod handshakes;
mod identities;
mod reload;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

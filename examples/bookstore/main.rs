//! A small bookstore as a gRPC application of its own: what the gateway stands in front of.
//!
//! ```text
//! cargo run --example bookstore -- --listen 127.0.0.1:50051
//! ```
//!
//! The first line on stdout says where it listens, so that port 0 can be used.

#[path = "mod.rs"]
mod bookstore;

use std::error::Error;
use std::net::SocketAddr;

use clap::Parser;
use tokio::net::TcpListener;

use bookstore::{Options, Reflection};

/// A small bookstore that speaks gRPC.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// Which versions of server reflection to offer.
    #[arg(long, value_enum, default_value_t = Reflection::On)]
    reflection: Reflection,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(arguments.listen).await?;
    announce(listener.local_addr()?);
    let options = Options {
        reflection: arguments.reflection,
    };
    bookstore::serve(listener, options, asked_to_stop()).await
}

#[allow(clippy::print_stdout, reason = "scripts read the address from stdout")]
fn announce(address: SocketAddr) {
    println!("{{\"event\":\"listening\",\"listen\":\"{address}\"}}");
}

/// Ends when the process is asked to stop by a terminal or a supervisor.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

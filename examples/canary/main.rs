//! A bad release that is taken back by itself: two versions of an application, a gateway that shares
//! calls out between them, and a guard.
//!
//! ```text
//! cargo run --release --example canary
//! ```
//!
//! All of it is in this process. The exit code says whether the bad version was taken back with no
//! more failed calls than its share.

mod demo;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

#[tokio::main]
async fn main() -> ExitCode {
    // Where nobody reads it, the verdict still counts.
    let say = |line: &str| drop(writeln!(io::stdout(), "{line}"));
    match Box::pin(demo::run(Duration::from_secs(2), say)).await {
        Ok(told) if told.is_sound() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

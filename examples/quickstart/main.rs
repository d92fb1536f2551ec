//! An application and the gateway in front of it, in one process:
//!
//! ```text
//! cargo run --release --example quickstart
//! curl localhost:8081/v1/shelves
//! grpcurl -plaintext localhost:8081 list
//! ```
//!
//! It takes the flags of `sidegate serve`. The bookstore takes a free port and offers reflection;
//! the gateway reads `proto/` when it is started where that is, and asks the bookstore otherwise.
//!
//! With `--smoke` it takes free ports instead, prints a transcript of calls and ends; the exit
//! code says whether all of them were answered as they should be.

#[path = "../bookstore/mod.rs"]
mod bookstore;
#[path = "smoke.rs"]
mod smoke;

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use bookstore::{Options, Reflection};
use sidegate::cli::{Args, run};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

fn main() -> Result<ExitCode, Failure> {
    if std::env::args()
        .skip(1)
        .any(|argument| argument == "--smoke")
    {
        return show();
    }
    let mut args = match Args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(stop) => {
            io::stderr().write_all(stop.text.as_bytes())?;
            return Ok(ExitCode::from(stop.code));
        }
    };
    let (bound, address) = mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let app = thread::spawn(move || serve_bookstore(&bound, stopped));
    let address = address
        .recv()
        .map_err(|_gone| "the bookstore did not start")?;
    args.input
        .flags
        .push(("--upstream", vec![format!("http://{address}")]));

    writeln!(io::stderr(), "{}", hints(address))?;
    let code = run::run(&args, &mut io::stdout(), &mut io::stderr())?;
    drop(stop);
    app.join().map_err(|_panic| "the bookstore panicked")??;
    Ok(ExitCode::from(code))
}

#[tokio::main]
async fn show() -> Result<ExitCode, Failure> {
    // Where nobody reads the transcript, its checks still count.
    let say = |line: &str| drop(writeln!(io::stdout(), "{line}"));
    match smoke::run(say).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.to_string().into()),
    }
}

/// What ends the program early.
type Failure = Box<dyn Error + Send + Sync>;

fn serve_bookstore(
    bound: &mpsc::Sender<SocketAddr>,
    stopped: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        bound.send(listener.local_addr()?)?;
        let options = Options {
            reflection: Reflection::On,
        };
        // The sender is dropped when the gateway has ended.
        let stop = async { drop(stopped.await) };
        bookstore::serve(listener, options, stop)
            .await
            .map_err(|error| error.to_string().into())
    })
}

fn hints(app: SocketAddr) -> String {
    format!(
        "a bookstore listens on {app}, and the gateway in front of it on port 8081; try\n\
         \n  curl localhost:8081/v1/shelves\
         \n  curl localhost:8081/v1/shelves/scifi/books?pageSize=2\
         \n  curl -H 'accept: text/event-stream' localhost:8081/v1/shelves/scifi/books:stream\
         \n  grpcurl -plaintext localhost:8081 list\
         \n  curl localhost:9901/routes\n"
    )
}

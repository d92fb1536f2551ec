//! The quick start as a test of itself: [`run`] starts the bookstore and a gateway on free ports,
//! makes the calls of the transcript, and checks every answer.
//!
//! `quickstart --smoke` and an integration test run this code.

mod transcript;

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use sidegate::app::{Gateway, Outputs, Running};
use sidegate::config::{self, Input};
use sidegate::life::task;
use tokio::net::TcpListener;

use crate::bookstore::{self, Reflection};

/// Starts everything, tells the transcript to `say`, and stops everything. An error says which
/// call did not answer as it should.
pub(crate) async fn run(say: fn(&str)) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let application = listener.local_addr()?;
    let options = bookstore::Options {
        reflection: Reflection::Off,
    };
    let _bookstore = task::spawn("bookstore", async move {
        let served = bookstore::serve(listener, options, std::future::pending()).await;
        served.map_err(|error| error.to_string())
    });
    let gateway = gateway(application)?;
    wait_until_ready(&gateway).await?;
    transcript::run(gateway.addresses().listen, say).await?;
    gateway.shutdown(Duration::from_secs(1));
    Ok(())
}

/// Starts a gateway as the command line would:
/// `sidegate --listen … --admin … --upstream … --proto proto`.
fn gateway(application: SocketAddr) -> Result<Running, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let flag = |name, value: String| (name, vec![value]);
    let (config, problems) = config::load(&Input {
        flags: vec![
            flag("--listen", String::from("127.0.0.1:0")),
            flag("--admin", String::from("127.0.0.1:0")),
            flag("--upstream", format!("http://{application}")),
            flag("--proto", root.join("proto").display().to_string()),
        ],
        directory: root.join("examples/quickstart"),
        ..Input::default()
    });
    let Some(config) = config else {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(problems.join("\n").into());
    };
    Ok(Gateway::bind(config, &Outputs::default())?.start()?)
}

async fn wait_until_ready(gateway: &Running) -> Result<(), Box<dyn Error>> {
    for _ in 0..1000 {
        if gateway.ready().is_ready() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let missing = gateway.ready().missing().join(" and ");
    Err(format!("not ready after ten seconds, for want of {missing}").into())
}

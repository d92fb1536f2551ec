//! Clients that see every byte: each DATA frame or chunk apart, and whether an answer ended or
//! was broken off.

mod h1;
mod h2;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;

use super::upstream::Stage;

/// The version of HTTP that a request is made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1, a connection per request.
    H1,
    /// HTTP/2 with prior knowledge, a connection per request.
    H2,
}

/// A request, written exactly as it stands.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) version: Version,
    pub(crate) method: String,
    /// Path and query as they go out, escaped or not.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<BodyStep>,
    /// What the application sees of it, for [`BodyStep::AppHas`].
    pub(crate) stage: Arc<Stage>,
}

/// What a client does after the head of its request.
#[derive(Clone, Debug)]
pub(crate) enum BodyStep {
    /// Sends bytes, as one DATA frame or chunk.
    Send(Bytes),
    /// Waits until the answer's body has this text.
    Read(String),
    /// Waits until the application has this many messages.
    AppHas(usize),
    /// Ends the request here; what follows happens while the answer is read.
    End,
    /// Leaves: the connection is closed, or the stream reset, and nothing more is read.
    Leave,
    /// Never ends the request; the answer is read all the same.
    KeepOpen,
    /// After the answer another request has to be answered on the same connection.
    Again,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// One for each DATA frame or chunk; one for all when a length was announced.
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) trailers: HeaderMap,
    pub(crate) end: End,
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// As its framing says.
    #[default]
    Clean,
    /// Before its framing says; how, in a word.
    Broken(String),
    /// The client left first.
    Left,
}

/// How an answer is broken that has no framing at all.
pub(crate) const UNFRAMED: &str =
    "an answer of HTTP/1.1 that ends with its connection cannot be told from a cut one";

impl Answer {
    /// The whole body.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

/// Makes one request on a connection of its own. The body received so far goes to `progress`.
pub(crate) async fn exchange(
    gateway: SocketAddr,
    request: &Request,
    progress: &watch::Sender<Vec<u8>>,
) -> Result<Answer, String> {
    let exchanged = async {
        let stream = tokio::net::TcpStream::connect(gateway)
            .await
            .map_err(|error| format!("no connection to the gateway: {error}"))?;
        let _ = stream.set_nodelay(true);
        match request.version {
            Version::H1 => h1::exchange(stream, gateway, request, progress).await,
            Version::H2 => h2::exchange(stream, gateway, request, progress).await,
        }
    };
    tokio::time::timeout(super::patience(), exchanged)
        .await
        .unwrap_or_else(|_| Err("no complete answer in time".to_owned()))
}

/// What is asked once more on a connection that has to be kept.
const AGAIN: &str = "/asked.again";

/// The answer as it is, or broken by a connection that was not kept.
fn kept(mut answer: Answer, again: Result<u16, String>) -> Answer {
    if let Err(error) = again {
        answer.end = End::Broken(format!("the connection is not kept: {error}"));
    }
    answer
}

impl Request {
    /// Whether one of the steps is this.
    fn has(&self, wanted: fn(&BodyStep) -> bool) -> bool {
        self.body.iter().any(wanted)
    }
}

/// Waits until `progress` has `text`.
async fn wait_for_text(progress: &watch::Sender<Vec<u8>>, text: &str) {
    let mut received = progress.subscribe();
    // The sender lives as long as the caller, so waiting only ends by success or by patience.
    let _ = received
        .wait_for(|body| super::upstream::contains(body, text.as_bytes()))
        .await;
}

/// Waits until the application has `count` messages of the last call.
async fn wait_for_app(stage: &Stage, count: usize) {
    let has = |seen: &[super::upstream::Seen]| {
        seen.last().is_some_and(|call| call.messages.len() >= count)
    };
    stage.wait_for(has).await;
}

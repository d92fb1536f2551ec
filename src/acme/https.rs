//! One exchange with an authority over HTTPS, on a connection of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// No answer is longer.
const MOST_BYTES: usize = 1 << 20;

/// Speaks with an authority whose certificate is verified.
pub(super) struct Https(pub(super) Arc<tls::Client>);

type Boxed = Box<dyn std::error::Error + Send + Sync>;

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = Arc::clone(&self.0);
        Box::pin(async move {
            let uri = request.uri().clone();
            let asked = timeout(PATIENCE, Box::pin(exchange(&client, request))).await;
            let asked = asked.unwrap_or_else(|_late| {
                Err(format!("no answer within {} s", PATIENCE.as_secs()).into())
            });
            let told = |error: Boxed| Error::Other(format!("{uri}: {error}").into());
            asked.map(BytesResponse::from).map_err(told)
        })
    }
}

async fn exchange(
    client: &tls::Client,
    request: Request<BodyWrapper<Bytes>>,
) -> Result<Response<Full<Bytes>>, Boxed> {
    let uri = request.uri().clone();
    if uri.scheme_str() != Some("https") {
        return Err("an authority is asked by https:// only".into());
    }
    let authority = uri.authority().ok_or("a URL without a host")?;
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(443))).await?;
    stream.set_nodelay(true)?;
    let name = client.name_at(host);
    let name = name.ok_or("a host that can be the name of no certificate")?;
    let connector = TlsConnector::from(client.config_http1());
    let stream = connector.connect(name, stream).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asking = async {
        let answer = sender.send_request(origin_form(request, &uri)?).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await?.to_bytes();
        Ok(Response::from_parts(head, Full::new(body)))
    };
    tokio::pin!(asking);
    tokio::select! {
        biased;
        answer = &mut asking => answer,
        ended = connection => match ended {
            // The answer may have come whole with the end of the connection.
            Ok(()) => asking.await,
            Err(error) => Err(error.into()),
        },
    }
}

/// A request as HTTP/1.1 writes it.
fn origin_form(
    mut request: Request<BodyWrapper<Bytes>>,
    uri: &Uri,
) -> Result<Request<BodyWrapper<Bytes>>, Boxed> {
    if let Some(authority) = uri.authority() {
        let host = HeaderValue::from_str(authority.as_str())?;
        request.headers_mut().insert(header::HOST, host);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse()?;
    Ok(request)
}

//! The floor: the least that a gateway on hyper and h2 can be. It knows every request and every
//! answer beforehand, forwards a fixed message over one h2 connection, waits for the answer and its
//! trailers, and writes bytes of the length of the JSON. It reads no JSON and no protobuf.
//!
//! On its second port it passes gRPC through, frame by frame.
//!
//!     floor HTTP_ADDRESS GRPC_ADDRESS BACKEND_ADDRESS

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use peers::fixtures;
use peers::frame;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [http, grpc, backend] = args.as_slice() else {
        return Err("floor HTTP_ADDRESS GRPC_ADDRESS BACKEND_ADDRESS".into());
    };
    let upstream = Rc::new(Upstream {
        address: backend.parse()?,
        sender: RefCell::new(None),
    });
    let floor = Rc::new(Floor {
        routes: routes(),
        upstream: upstream.clone(),
    });
    let http = TcpListener::bind(http).await?;
    let grpc = TcpListener::bind(grpc).await?;
    tokio::task::LocalSet::new()
        .run_until(async move {
            spawn_local(passthrough(grpc, upstream));
            rest(http, floor).await;
        })
        .await;
    Ok(())
}

/// One connection to the backend, opened at the first call and again when it is lost.
struct Upstream {
    address: SocketAddr,
    sender: RefCell<Option<SendRequest<Bytes>>>,
}

impl Upstream {
    async fn ready(&self) -> Result<SendRequest<Bytes>, Failure> {
        let known = self.sender.borrow().clone();
        if let Some(sender) = known
            && let Ok(sender) = sender.ready().await
        {
            return Ok(sender);
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(2 << 20)
            .initial_connection_window_size(4 << 20)
            .handshake(stream)
            .await?;
        spawn_local(async move {
            if let Err(error) = connection.await {
                eprintln!("backend: {error}");
            }
        });
        let sender = sender.ready().await?;
        *self.sender.borrow_mut() = Some(sender.clone());
        Ok(sender)
    }
}

// === REST ===

struct Route {
    rpc: http::Uri,
    request: Bytes,
    /// The JSON of one message.
    json: Bytes,
    streamed: bool,
}

struct Floor {
    routes: HashMap<(&'static str, &'static str), Route>,
    upstream: Rc<Upstream>,
}

fn routes() -> HashMap<(&'static str, &'static str), Route> {
    let fixtures = fixtures::fixtures();
    let route = |fixture: &fixtures::Fixture| Route {
        rpc: format!("http://app{}", fixture.rpc)
            .parse()
            .expect("the path of a method is a URI"),
        request: frame::framed(&fixture.request),
        json: match fixture.streamed {
            None => fixture.json.clone(),
            Some(_) => [&fixture.json[..], b"\n"].concat().into(),
        },
        streamed: fixture.streamed.is_some(),
    };
    fixtures
        .all
        .iter()
        .map(|(_, fixture)| (fixture.key(), route(fixture)))
        .collect()
}

async fn rest(listener: TcpListener, floor: Rc<Floor>) {
    while let Ok((stream, _)) = listener.accept().await {
        let floor = floor.clone();
        spawn_local(async move {
            if stream.set_nodelay(true).is_err() {
                return;
            }
            let service = hyper::service::service_fn(|request| answer(floor.clone(), request));
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served
                && !error.is_incomplete_message()
            {
                eprintln!("client: {error}");
            }
        });
    }
}

type Answer = Response<Either<Full<Bytes>, Lines>>;

async fn answer(floor: Rc<Floor>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query();
    let path = path.map_or("/", http::uri::PathAndQuery::as_str);
    let Some(route) = floor.routes.get(&(head.method.as_str(), path)) else {
        return Ok(failed(StatusCode::NOT_FOUND));
    };
    if !body.is_end_stream() && body.collect().await.is_err() {
        return Ok(failed(StatusCode::BAD_REQUEST));
    }
    Ok(called(&floor.upstream, route)
        .await
        .unwrap_or_else(|error| {
            eprintln!("call: {error}");
            failed(StatusCode::BAD_GATEWAY)
        }))
}

fn failed(status: StatusCode) -> Answer {
    let mut response = Response::new(Either::Left(Full::new(Bytes::new())));
    *response.status_mut() = status;
    response
}

async fn called(upstream: &Upstream, route: &Route) -> Result<Answer, Failure> {
    let mut sender = upstream.ready().await?;
    let mut request = Request::post(route.rpc.clone()).body(())?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    let (response, mut body) = sender.send_request(request, false)?;
    body.send_data(route.request.clone(), true)?;
    let (head, mut data) = response.await?.into_parts();
    if head.status != StatusCode::OK || head.headers.contains_key("grpc-status") {
        return Err("the backend refuses".into());
    }
    let body = if route.streamed {
        Either::Right(Lines::new(data, route.json.clone()))
    } else {
        while let Some(chunk) = data.data().await {
            data.flow_control().release_capacity(chunk?.len())?;
        }
        if !fine(data.trailers().await?.as_ref()) {
            return Err("the call failed".into());
        }
        Either::Left(Full::new(route.json.clone()))
    };
    let mut answer = Response::new(body);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

fn fine(trailers: Option<&HeaderMap>) -> bool {
    trailers
        .and_then(|trailers| trailers.get("grpc-status"))
        .is_some_and(|status| status == "0")
}

/// A stream as lines: each message that arrives becomes the same line.
struct Lines {
    data: h2::RecvStream,
    count: frame::Counter,
    line: Bytes,
    over: bool,
}

impl Lines {
    fn new(data: h2::RecvStream, line: Bytes) -> Self {
        Self {
            data,
            count: frame::Counter::default(),
            line,
            over: false,
        }
    }
}

impl Body for Lines {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        while !self.over {
            match ready!(self.data.poll_data(context)) {
                Some(Ok(chunk)) => {
                    self.data.flow_control().release_capacity(chunk.len())?;
                    let messages = self.count.push(&chunk);
                    if messages > 0 {
                        let lines = self.line.repeat(messages);
                        return Poll::Ready(Some(Ok(Frame::data(lines.into()))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.over = true,
            }
        }
        match ready!(self.data.poll_trailers(context)) {
            Ok(trailers) if fine(trailers.as_ref()) => Poll::Ready(None),
            Ok(_) => Poll::Ready(Some(Err(h2::Reason::INTERNAL_ERROR.into()))),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

// === Passthrough ===

async fn passthrough(listener: TcpListener, upstream: Rc<Upstream>) {
    while let Ok((stream, _)) = listener.accept().await {
        let upstream = upstream.clone();
        spawn_local(async move {
            if let Err(error) = serve(stream, upstream).await {
                eprintln!("gRPC client: {error}");
            }
        });
    }
}

async fn serve(stream: TcpStream, upstream: Rc<Upstream>) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let mut connection = h2::server::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .handshake(stream)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        let upstream = upstream.clone();
        spawn_local(async move {
            if let Err(error) = pass(request, respond, &upstream).await {
                eprintln!("passing: {error}");
            }
        });
    }
    Ok(())
}

async fn pass(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    upstream: &Upstream,
) -> Result<(), Failure> {
    let mut sender = upstream.ready().await?;
    let (head, body) = request.into_parts();
    let (response, to_app) = sender.send_request(Request::from_parts(head, ()), false)?;
    pump(body, to_app).await?;
    let (head, body) = response.await?.into_parts();
    let ended = body.is_end_stream();
    let to_client = respond.send_response(Response::from_parts(head, ()), ended)?;
    if !ended {
        pump(body, to_client).await?;
    }
    Ok(())
}

/// Every chunk as soon as there is room for it, then the trailers.
async fn pump(mut from: h2::RecvStream, mut to: h2::SendStream<Bytes>) -> Result<(), Failure> {
    while let Some(chunk) = from.data().await {
        let chunk = chunk?;
        from.flow_control().release_capacity(chunk.len())?;
        let last = from.is_end_stream();
        to.send_data(chunk, last)?;
        if last {
            return Ok(());
        }
    }
    match from.trailers().await? {
        Some(trailers) => to.send_trailers(trailers)?,
        None => to.send_data(Bytes::new(), true)?,
    }
    Ok(())
}

//! The application behind every gateway: tonic, one thread, with answers encoded beforehand, so
//! that it takes as little of the machine as it can. It refuses a request that is not what the
//! fixture says: a gateway that transcodes wrongly is not fast.
//!
//!     backend [ADDRESS]     prints `listening on ADDRESS`

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use peers::fixtures::{self, Fixture};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tokio::net::TcpListener;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Encodings of a request, besides the fixture's own, that were found to mean the same.
const MOST_VARIANTS: usize = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    Server::builder()
        .add_service(Yard::new())
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await?;
    Ok(())
}

/// The service, without generated code: a table of answers.
#[derive(Clone)]
struct Yard(Arc<HashMap<&'static str, Arc<Method>>>);

struct Method {
    fixture: Fixture,
    input: MessageDescriptor,
    variants: Mutex<HashSet<Bytes>>,
}

impl Yard {
    fn new() -> Self {
        let fixtures = fixtures::fixtures();
        let service = fixtures
            .pool
            .get_service_by_name("yard.v1.Yard")
            .expect("the service is in the schema");
        let table = service.methods().map(|method| {
            let rpc = format!("/yard.v1.Yard/{}", method.name());
            let (_, fixture) = fixtures
                .all
                .iter()
                .find(|(_, fixture)| fixture.rpc == rpc)
                .expect("every method has its fixture");
            let entry = Method {
                fixture: fixture.clone(),
                input: method.input(),
                variants: Mutex::new(HashSet::new()),
            };
            (fixture.rpc, Arc::new(entry))
        });
        Self(Arc::new(table.collect()))
    }
}

impl NamedService for Yard {
    const NAME: &'static str = "yard.v1.Yard";
}

type Answer = http::Response<tonic::body::Body>;

impl Service<http::Request<tonic::body::Body>> for Yard {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let Some(method) = self.0.get(request.uri().path()).cloned() else {
            return Box::pin(ready(Ok(
                Status::unimplemented("no such method").into_http()
            )));
        };
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw);
            Ok(match method.fixture.streamed {
                None => grpc.unary(Handler(method), request).await,
                Some(_) => grpc.server_streaming(Handler(method), request).await,
            })
        })
    }
}

struct Handler(Arc<Method>);

impl Method {
    /// Whether the request is the fixture's, whatever the order of its fields.
    fn check(&self, request: &Bytes) -> Result<(), Status> {
        if *request == self.fixture.request {
            return Ok(());
        }
        let mut variants = self.variants.lock().expect("nobody panics with the lock");
        if variants.contains(request) {
            return Ok(());
        }
        // Compared as JSON: an explicit zero means the same as none.
        let decode = |bytes: &Bytes| {
            let message = DynamicMessage::decode(self.input.clone(), bytes.clone());
            serde_json::to_value(message.map_err(|error| error.to_string())?)
                .map_err(|error| error.to_string())
        };
        match (decode(request), decode(&self.fixture.request)) {
            (Ok(got), Ok(wanted)) if got == wanted => {
                if variants.len() < MOST_VARIANTS {
                    variants.insert(request.clone());
                }
                Ok(())
            }
            (got, wanted) => {
                eprintln!("{}: {got:?} instead of {wanted:?}", self.fixture.rpc);
                Err(Status::invalid_argument("not the request of the fixture"))
            }
        }
    }
}

impl UnaryService<Bytes> for Handler {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let method = &self.0;
        ready(
            method
                .check(request.get_ref())
                .map(|()| Response::new(method.fixture.answer.clone())),
        )
    }
}

impl ServerStreamingService<Bytes> for Handler {
    type Response = Bytes;
    type ResponseStream = tokio_stream::Iter<std::vec::IntoIter<Result<Bytes, Status>>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let method = &self.0;
        ready(method.check(request.get_ref()).map(|()| {
            let count = method.fixture.streamed.unwrap_or(1);
            let all = vec![Ok(method.fixture.answer.clone()); count];
            Response::new(tokio_stream::iter(all))
        }))
    }
}

/// A codec that leaves messages as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

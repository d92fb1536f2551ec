//! The application behind the gateway, in a process of its own: tonic, with answers made in advance.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{Read, Write};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use futures_util::stream;
use prost::Message as _;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Response, Status};

use crate::messages::{self, ListRequest};

/// Serves until standard input ends; says its port first.
pub(crate) fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        std::io::stdout().flush()?;
        // The parent holds the other end.
        std::thread::spawn(|| {
            let ended = std::io::stdin().read(&mut [0]);
            std::process::exit(i32::from(ended.is_err()));
        });
        tonic::transport::Server::builder()
            .tcp_nodelay(true)
            .add_service(Shelf::new())
            .serve_with_incoming(
                tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true)),
            )
            .await?;
        Ok(())
    })
}

/// `bench.Shelf` with bytes for messages.
#[derive(Clone)]
struct Shelf {
    book: Bytes,
    item: Bytes,
    list: Bytes,
}

impl Shelf {
    fn new() -> Self {
        Self {
            book: messages::book().into(),
            item: messages::item().into(),
            list: messages::list().into(),
        }
    }
}

impl tonic::server::NamedService for Shelf {
    const NAME: &'static str = "bench.Shelf";
}

impl tower::Service<http::Request<tonic::body::Body>> for Shelf {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let mut grpc = tonic::server::Grpc::new(RawCodec);
        let answer = match request.uri().path().rsplit('/').next() {
            Some("GetItem") => self.item.clone(),
            Some("ListItems") => self.list.clone(),
            Some("WatchBooks") => {
                let books = Books(self.book.clone());
                return Box::pin(async move { Ok(grpc.server_streaming(books, request).await) });
            }
            _ => self.book.clone(),
        };
        Box::pin(async move { Ok(grpc.unary(Whole(answer), request).await) })
    }
}

struct Whole(Bytes);

impl tonic::server::UnaryService<Bytes> for Whole {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _request: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}

/// As many books as are asked for.
struct Books(Bytes);

impl tonic::server::ServerStreamingService<Bytes> for Books {
    type Response = Bytes;
    type ResponseStream = stream::Iter<std::vec::IntoIter<Result<Bytes, Status>>>;
    type Future = Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let asked = ListRequest::decode(request.into_inner()).map_or(0, |list| list.page_size);
        let books: Vec<_> = (0..asked).map(|_| Ok(self.0.clone())).collect();
        ready(Ok(Response::new(stream::iter(books))))
    }
}

#[derive(Clone, Copy)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, input: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(input.copy_to_bytes(input.remaining())))
    }
}

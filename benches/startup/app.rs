//! An application that answers every call with one empty message.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use tokio::net::{TcpListener, TcpStream};

/// Starts it on a thread of its own; where it listens.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let (bound, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("a port is free");
            drop(bound.send(listener.local_addr()));
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
    });
    address.recv().map_err(io::Error::other)?
}

/// Serves one connection until it breaks.
async fn serve(stream: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(call) = connection.accept().await {
        let (_request, mut respond) = call?;
        let mut head = Response::new(());
        head.headers_mut()
            .insert("content-type", HeaderValue::from_static("application/grpc"));
        let mut stream = respond.send_response(head, false)?;
        stream.send_data(Bytes::from_static(&[0; 5]), false)?;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        stream.send_trailers(trailers)?;
    }
    Ok(())
}

//! Spans on their way to collectors that take them, refuse them, or are not there.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use bytes::Bytes;
use http::Response;
use tokio::runtime::Builder;

use super::http::Place;
use super::otlp::{Collector, Protocol, Spans};
use crate::telemetry::queue::{self, Output};
use crate::telemetry::trace::{Resource, request};

/// An entry of one byte, which stands for a span.
const SPAN: &[u8] = &[0x12, 1, 0x20];

fn resource() -> Resource {
    Resource {
        service: "books".to_owned(),
        instance: "1".to_owned(),
    }
}

fn spans(address: SocketAddr, protocol: Protocol) -> Spans {
    let place = Place {
        host: address.ip().to_string(),
        port: address.port(),
    };
    Spans::new(Collector { place, protocol }, resource())
}

/// A collector that answers requests with these statuses, one after the other.
fn http_collector(statuses: &'static [u16]) -> (SocketAddr, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut read = Vec::new();
            let (mut head, mut length) = (None, 0);
            while head.is_none_or(|end| read.len() < end + length) {
                let mut buffer = [0; 4096];
                let count = stream.read(&mut buffer).unwrap();
                assert!(count > 0, "cut off");
                read.extend_from_slice(&buffer[..count]);
                head = read
                    .windows(4)
                    .position(|four| four == b"\r\n\r\n")
                    .map(|at| at + 4);
                if let Some(end) = head {
                    let text = String::from_utf8_lossy(&read[..end]).to_lowercase();
                    let (_, rest) = text.split_once("content-length: ").unwrap();
                    length = rest.split_once("\r\n").unwrap().0.parse().unwrap();
                }
            }
            let end = head.unwrap();
            let head = String::from_utf8(read[..end].to_vec()).unwrap();
            sender.send((head, read[end..].to_vec())).unwrap();
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    (address, receiver)
}

#[test]
fn a_batch_goes_out_as_one_request_over_http() {
    let (address, received) = http_collector(&[200]);
    let output = spans(address, Protocol::Http("/v1/traces".to_owned()));
    let (queue, flush) = queue::start_to("test", 1 << 10, output).unwrap();
    assert!(queue.push(SPAN));
    drop(flush);
    let (head, body) = received.recv().unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf\r\n"),
        "{head}"
    );
    assert_eq!(body, request(&resource(), SPAN));
    assert_eq!(queue.dropped(), 0);
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_counted() {
    let (address, received) = http_collector(&[503, 200, 400]);
    let mut output = spans(address, Protocol::Http("/".to_owned()));
    assert_eq!(output.take(SPAN), 0, "the second attempt succeeds");
    assert_eq!(output.take(&SPAN.repeat(3)), 3, "it will never be taken");
    assert_eq!(received.iter().count(), 3);
}

/// Faults 38 and 43.
#[test]
fn a_collector_that_is_away_costs_spans_and_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for protocol in [Protocol::Grpc, Protocol::Http("/".to_owned())] {
        let mut output = spans(address, protocol);
        output.give_up();
        assert_eq!(output.take(SPAN), 1);
        assert_eq!(output.take(&SPAN.repeat(2)), 2);
    }
}

/// Answers one call with a status, and tells its path and message.
fn grpc_collector(status: &'static str) -> (SocketAddr, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(asked) = connection.accept().await {
                let (asked, mut answer) = asked.unwrap();
                let (head, mut body) = asked.into_parts();
                let sender = sender.clone();
                let answering = async move {
                    let mut read: Vec<Bytes> = Vec::new();
                    while let Some(data) = body.data().await {
                        let data = data.unwrap();
                        body.flow_control().release_capacity(data.len()).unwrap();
                        read.push(data);
                    }
                    sender
                        .send((head.uri.path().to_owned(), read.concat()))
                        .unwrap();
                    let head = Response::builder()
                        .header("content-type", "application/grpc")
                        .header("grpc-status", status)
                        .body(());
                    answer.send_response(head.unwrap(), true).unwrap();
                };
                let mut answering = std::pin::pin!(answering);
                tokio::select! {
                    () = &mut answering => {}
                    _ = std::future::poll_fn(|context| connection.poll_closed(context)) => {}
                }
            }
        });
    });
    (address, receiver)
}

#[test]
fn a_batch_goes_out_as_one_call_over_grpc() {
    let (address, received) = grpc_collector("0");
    let mut output = spans(address, Protocol::Grpc);
    let batch = SPAN.repeat(50_000);
    assert_eq!(output.take(&batch), 0);
    let (path, body) = received.recv().unwrap();
    assert_eq!(
        path,
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    let message = request(&resource(), &batch);
    assert_eq!(
        body[..5],
        [
            &[0][..],
            &u32::try_from(message.len()).unwrap().to_be_bytes()
        ]
        .concat()
    );
    assert!(body[5..] == message, "the message");

    let (address, _received) = grpc_collector("3");
    assert_eq!(
        spans(address, Protocol::Grpc).take(SPAN),
        1,
        "INVALID_ARGUMENT stays"
    );
}

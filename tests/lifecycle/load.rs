//! Clients in a row that fail their test when one call fails: what a well-behaved neighbour does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::client::{self, End, Version};
use super::support::upstream::Stage;
use super::{request, text};

pub(crate) const GET: &[u8] = b"GET /get HTTP/1.1\r\nhost: a\r\nx-case: load\r\n\r\n";

/// Reads one answer; whether the connection ends with it.
pub(crate) async fn answer(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n{}") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            let said = String::from_utf8_lossy(&head).into_owned();
            return Err(std::io::Error::other(format!("closed after {said:?}")));
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(std::io::Error::other(head));
    }
    Ok(head.contains("\r\nconnection: close\r\n"))
}

/// Calls in a row, on one connection for as long as the gateway keeps it.
pub(crate) async fn keep_alive(gateway: SocketAddr, over: &AtomicBool, count: &AtomicUsize) {
    let mut kept: Option<TcpStream> = None;
    while !over.load(Ordering::SeqCst) {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => TcpStream::connect(gateway).await.expect("a connection"),
        };
        stream.write_all(GET).await.expect("a request");
        let last = answer(&mut stream).await.expect("an answer");
        count.fetch_add(1, Ordering::SeqCst);
        kept = (!last).then_some(stream);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Calls in a row, each on a connection of its own.
pub(crate) async fn fresh(
    gateway: SocketAddr,
    stage: &Arc<Stage>,
    over: &AtomicBool,
    count: &AtomicUsize,
) {
    while !over.load(Ordering::SeqCst) {
        for version in [Version::H1, Version::H2] {
            let asked = request(version, "/get", "load", stage);
            let answer = client::exchange(gateway, &asked, &stage.client).await;
            let answer = answer.expect("an answer");
            assert_eq!(
                (answer.status, &answer.end),
                (200, &End::Clean),
                "{}",
                text(&answer)
            );
            count.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Whether the last GOAWAY leaves this call out, so that any client asks once more on another
/// connection (RFC 9113, 6.8). The `h2` crate answers the PING that tells its server that everything
/// sent before has come, before it sends a head that was waiting; so it may come after all.
fn was_never_seen(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
}

/// Calls in a row on one connection of HTTP/2, and on another when it is told to leave.
pub(crate) async fn http2(gateway: SocketAddr, over: &AtomicBool, count: &AtomicUsize) -> usize {
    let mut connections = 0;
    while !over.load(Ordering::SeqCst) {
        connections += 1;
        let stream = TcpStream::connect(gateway).await.expect("a connection");
        let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let driving = tokio::spawn(connection);
        while !over.load(Ordering::SeqCst) {
            let Ok(mut send) = send.clone().ready().await else {
                break;
            };
            let asked = http::Request::get("http://a/get").header("x-case", "load");
            let Ok((response, _)) = send.send_request(asked.body(()).unwrap(), true) else {
                break;
            };
            let response = match response.await {
                Ok(response) => response,
                Err(error) if was_never_seen(&error) => break,
                Err(error) => panic!("no answer: {error:?}"),
            };
            assert_eq!(response.status(), 200);
            count.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        drop(send);
        drop(driving.await);
    }
    connections
}

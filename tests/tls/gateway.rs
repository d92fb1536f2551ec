//! A gateway in this process, and the application behind it.

use std::net::SocketAddr;
use std::path::Path;

use sidegate::app::{Gateway, Outputs, Running};
use sidegate::config::{self, Input};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Starts a gateway with this `tls` section, its files in `directory`.
pub(crate) async fn start(directory: &Path, tls: &str) -> Running {
    start_with(directory, tls, "").await
}

/// The same, with more of `rest` and what follows it.
pub(crate) async fn start_with(directory: &Path, tls: &str, more: &str) -> Running {
    start_whole(directory, tls, more, 0).await
}

/// The same, with answers of at least so many bytes.
pub(crate) async fn start_large(directory: &Path, tls: &str, bytes: usize) -> Running {
    start_whole(directory, tls, "", bytes).await
}

async fn start_whole(directory: &Path, tls: &str, more: &str, bytes: usize) -> Running {
    let echo = echo(bytes).await;
    let text = format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nschema: {{reflection: off}}\n\
         tls: {tls}\nrest:\n  fallback: http://{echo}\n{more}"
    );
    start_text(directory, &text)
}

/// Starts a gateway with this file.
pub(crate) fn start_text(directory: &Path, text: &str) -> Running {
    let file = directory.join("sidegate.yaml");
    std::fs::write(&file, text).unwrap();
    let (config, problems) = config::load(&Input {
        file: Some(file),
        ..Input::default()
    });
    let config = config.unwrap_or_else(|| panic!("{problems:#?}"));
    let bound =
        Gateway::bind(config, &Outputs::default()).unwrap_or_else(|error| panic!("{error}"));
    bound.start().unwrap()
}

/// The page of metrics.
pub(crate) async fn metrics(gateway: &Running) -> String {
    let address = gateway.addresses().admin.unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    all
}

/// The same, as soon as it holds a text: what a client sees may come before what is counted.
pub(crate) async fn metrics_with(gateway: &Running, text: &str) {
    for _ in 0..200 {
        if metrics(gateway).await.contains(text) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{text} is not in {}", metrics(gateway).await);
}

/// An HTTP/1.1 server that answers every request with its head, in lower case, filled up to so
/// many bytes.
async fn echo(bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                let mut byte = [0];
                while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {
                    head.extend(byte);
                    if !head.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    let mut body = String::from_utf8_lossy(&head).to_lowercase();
                    body.extend(std::iter::repeat_n('.', bytes.saturating_sub(body.len())));
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                    head.clear();
                }
            });
        }
    });
    address
}

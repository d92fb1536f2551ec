//! The port of HTTP-01 (RFC 8555, 8.3): what an authority asks for, and nothing else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::life::task::TaskSet;

/// The path below which proofs are.
const FOLDER: &str = "/.well-known/acme-challenge/";

/// As many connections are answered at a time.
const CONNECTIONS: usize = 64;

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// No head of a request is longer.
const MOST_BYTES: usize = 8192;

/// What is answered, by token. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(Rc<RefCell<HashMap<String, String>>>);

/// Answered until it is dropped.
#[derive(Debug)]
pub(super) struct Answered {
    tokens: Tokens,
    token: String,
}

impl Tokens {
    pub(super) fn show(&self, token: &str, proof: &str) -> Answered {
        let mut tokens = self.0.borrow_mut();
        tokens.insert(token.to_owned(), proof.to_owned());
        Answered {
            tokens: self.clone(),
            token: token.to_owned(),
        }
    }

    /// The answer to a request.
    fn answer(&self, head: &[u8]) -> String {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = std::str::from_utf8(line).unwrap_or_default();
        let mut words = line.split(' ');
        let (method, path) = (words.next(), words.next().unwrap_or_default());
        let proof = path
            .strip_prefix(FOLDER)
            .and_then(|token| self.0.borrow().get(token).cloned())
            .filter(|_| method == Some("GET"));
        let (status, body) = match proof {
            Some(proof) => ("200 OK", proof),
            None => ("404 Not Found", "this port is for ACME only\n".to_owned()),
        };
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.tokens.0.borrow_mut().remove(&self.token);
    }
}

/// Answers until it is dropped.
#[allow(
    clippy::infinite_loop,
    reason = "it ends with its thread, which somebody owns"
)]
pub(super) async fn serve(listener: StdListener, tokens: Tokens) -> io::Result<()> {
    /// Accepting rests when it fails, for want of file descriptors usually.
    const REST: Duration = Duration::from_secs(1);
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let (connections, room) = (TaskSet::new(), Rc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let accepted = listener.accept().await;
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the port for ACME cannot accept a connection");
                sleep(REST).await;
                continue;
            }
        };
        let (tokens, room) = (tokens.clone(), Rc::clone(&room));
        // Beyond the limit a connection is closed at once.
        if room.available_permits() == 0 {
            continue;
        }
        connections.spawn_local("HTTP-01", async move {
            let _place = room.try_acquire();
            drop(timeout(PATIENCE, exchange(stream, &tokens)).await);
        });
    }
}

async fn exchange(mut stream: TcpStream, tokens: &Tokens) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|part| part == b"\r\n\r\n") {
        let read = stream.read_buf(&mut head).await?;
        if read == 0 || head.len() > MOST_BYTES {
            return Ok(());
        }
    }
    stream.write_all(tokens.answer(&head).as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_answered_while_they_are_held() {
        let tokens = Tokens::default();
        let shown = tokens.show("t0", "t0.key");
        let asked = |line: &str| tokens.answer(format!("{line}\r\nhost: a\r\n\r\n").as_bytes());
        let get = "GET /.well-known/acme-challenge/t0 HTTP/1.1";
        let answer = asked(get);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("content-length: 6\r\nconnection: close\r\n\r\nt0.key"));
        for line in [
            "GET /.well-known/acme-challenge/t1 HTTP/1.1",
            "GET /.well-known/acme-challenge/ HTTP/1.1",
            "POST /.well-known/acme-challenge/t0 HTTP/1.1",
            "GET / HTTP/1.1",
            "GET",
            "",
        ] {
            assert!(asked(line).starts_with("HTTP/1.1 404 "), "{line}");
        }
        assert!(tokens.answer(b"\xff\xff").starts_with("HTTP/1.1 404 "));
        drop(shown);
        assert!(asked(get).starts_with("HTTP/1.1 404 "));
    }
}

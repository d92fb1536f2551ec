//! One blocking request to the admin port of a gateway that runs beside this process, by the
//! standard library alone: it runs before any runtime exists and ends within its time.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The most of an answer that is looked at.
const ENOUGH: u64 = 64 << 10;

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// As HTTP has it; 0 when it was no HTTP.
    pub(super) status: u16,
    /// What follows the head.
    pub(super) body: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The address has port 0, so nobody knows the real one.
    NoPort,
    /// Nobody is there, or it does not speak.
    Failed(SocketAddr, io::Error),
}

/// Asks at the admin or ops address of a configuration.
pub(super) fn ask(
    listener: SocketAddr,
    request: &str,
    patience: Duration,
) -> Result<Answer, Unanswered> {
    let address = reachable(listener);
    if address.port() == 0 {
        return Err(Unanswered::NoPort);
    }
    let answer = exchange(address, request, patience);
    answer.map_err(|error| Unanswered::Failed(address, error))
}

/// Where a listener is reached from this machine.
pub(super) fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

fn exchange(address: SocketAddr, request: &str, patience: Duration) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let head = format!(
        "{request} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ENOUGH).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    Ok(Answer {
        status: status.parse().unwrap_or_default(),
        body: body.to_owned(),
    })
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPort => f.write_str("the address has port 0, so nobody knows the real one"),
            Self::Failed(address, error) => write!(f, "{address}: {error}"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

    /// Answers one request in pieces and returns what was asked.
    pub(crate) fn gateway(
        answer: &'static [&'static str],
    ) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                asked.extend(byte);
            }
            for piece in answer {
                stream.write_all(piece.as_bytes()).unwrap();
            }
            String::from_utf8(asked).unwrap()
        });
        (address, served)
    }

    /// An address that nobody listens on.
    pub(crate) fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    #[test]
    fn answers_come_in_pieces() {
        let (address, served) = gateway(&["HTTP/1.1 2", "00 OK\r\n", "a: b\r\n\r\n{", "}"]);
        let answer = ask(address, "GET /readyz", PATIENCE).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
        let asked = served.join().unwrap();
        assert!(asked.starts_with("GET /readyz HTTP/1.1\r\n"), "{asked}");

        let (address, served) = gateway(&[]);
        assert_eq!(ask(address, "GET /", PATIENCE).unwrap().status, 0);
        served.join().unwrap();
        assert!(ask(nobody(), "GET /", PATIENCE).is_err());
    }

    #[test]
    fn an_address_for_all_is_asked_on_loopback() {
        let reach = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(reach("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(reach("[::]:1"), "[::1]:1");
        assert_eq!(reach("10.0.0.1:1"), "10.0.0.1:1");
    }
}

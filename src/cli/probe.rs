//! `sidegate probe`: asks a running gateway whether it is ready, for containers without a shell.
//!
//! One blocking request on one connection, by the standard library alone: it runs before any
//! runtime exists and ends within its time.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Asks for `/readyz` at the admin or ops address of a configuration. The error says why the
/// gateway is not ready, or cannot be asked.
pub fn probe(listener: SocketAddr, patience: Duration) -> Result<(), String> {
    let address = reachable(listener);
    if address.port() == 0 {
        return Err("the address has port 0, so nobody knows the real one".to_owned());
    }
    let answer = ask(address, patience).map_err(|error| format!("{address}: {error}"))?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        return Ok(());
    }
    let reason = answer.lines().next().unwrap_or_default();
    Err(format!("{address}: not ready: {reason}"))
}

/// Where a listener is reached from this machine.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// The head of the answer, as far as it is needed.
fn ask(address: SocketAddr, patience: Duration) -> std::io::Result<String> {
    const ENOUGH: usize = 512;
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::with_capacity(ENOUGH);
    // One read may bring half a status line; each brings at least one byte, so this ends.
    while answer.len() < ENOUGH && !answer.contains(&b'\n') {
        let mut part = [0; ENOUGH];
        let read = stream.read(&mut part)?;
        if read == 0 {
            break;
        }
        answer.extend(part.iter().take(read));
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Answers one request in pieces and returns what was asked.
    fn gateway(answer: &'static [&'static str]) -> (SocketAddr, thread::JoinHandle<String>) {
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

    #[test]
    fn ready_is_200() {
        let (address, served) = gateway(&["HTTP/1.1 2", "00 OK\r\n", "\r\n"]);
        assert_eq!(probe(address, PATIENCE), Ok(()));
        let asked = served.join().unwrap();
        assert!(asked.starts_with("GET /readyz HTTP/1.1\r\n"), "{asked}");
    }

    #[test]
    fn everything_else_is_not_ready_and_says_why() {
        let (address, served) = gateway(&["HTTP/1.1 503 Service Unavailable\r\n\r\n"]);
        let told = probe(address, PATIENCE).unwrap_err();
        assert!(told.contains("not ready: HTTP/1.1 503"), "{told}");
        served.join().unwrap();

        let (address, served) = gateway(&[]);
        assert!(probe(address, PATIENCE).is_err());
        served.join().unwrap();

        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(probe(closed, PATIENCE).is_err());
        assert!(probe("127.0.0.1:0".parse().unwrap(), PATIENCE).is_err());
    }

    #[test]
    fn an_address_for_all_is_asked_on_loopback() {
        let reach = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(reach("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(reach("[::]:1"), "[::1]:1");
        assert_eq!(reach("10.0.0.1:1"), "10.0.0.1:1");
    }
}

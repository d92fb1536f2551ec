//! `sidegate drain`: what a preStop hook runs. It asks the gateway to drain, and then waits for as
//! long as the world may take to hear of it; meanwhile new connections are still served.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::client::ask;

/// How often it is looked whether the gateway is still there.
const LOOK: Duration = Duration::from_millis(500);

/// Asks at the admin address of a configuration and waits; less long when the gateway has gone.
/// The error says why nothing drains.
#[allow(
    clippy::disallowed_methods,
    reason = "a process that only waits has the clock of the system"
)]
pub fn drain(admin: SocketAddr, wait: Duration, patience: Duration) -> Result<(), String> {
    let answer = ask(admin, "POST /drain", patience)
        .map_err(|unanswered| format!("not draining: {unanswered}"))?;
    if answer.status != 200 {
        return Err(format!("not draining: {admin} answers {}", answer.status));
    }
    let until = Instant::now() + wait;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(LOOK));
        // It has ended sooner than expected, and nobody is waited for any more.
        if ask(admin, "GET /livez", patience).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::{PATIENCE, gateway, nobody};
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "it is about real time")]
    fn it_asks_and_waits_while_the_gateway_lives() {
        let (address, served) = gateway(&["HTTP/1.1 200 OK\r\n\r\n{}"]);
        assert_eq!(drain(address, Duration::ZERO, PATIENCE), Ok(()));
        assert!(served.join().unwrap().starts_with("POST /drain "));

        // It is gone after its one answer.
        let (address, served) = gateway(&["HTTP/1.1 200 OK\r\n\r\n{}"]);
        let began = Instant::now();
        assert_eq!(drain(address, 100 * PATIENCE, PATIENCE), Ok(()));
        assert!(began.elapsed() < PATIENCE);
        served.join().unwrap();

        let (address, served) = gateway(&["HTTP/1.1 403 Forbidden\r\n\r\n"]);
        let said = drain(address, Duration::ZERO, PATIENCE).unwrap_err();
        assert!(said.contains("answers 403"), "{said}");
        served.join().unwrap();
        assert!(drain(nobody(), Duration::ZERO, PATIENCE).is_err());
    }
}

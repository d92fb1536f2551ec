//! `sidegate probe`: asks a running gateway whether it is ready, or lives, for containers without
//! a shell.

use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;

use super::client::ask;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// Whether it may be sent work: `/readyz`
    Ready,
    /// Whether it lives, draining or without its application: `/livez`
    Live,
}

/// Asks at the admin or ops address of a configuration. The error says what is missing, or why the
/// gateway cannot be asked.
pub fn probe(listener: SocketAddr, check: Check, patience: Duration) -> Result<(), String> {
    let (request, not) = match check {
        Check::Ready => ("GET /readyz", "not ready"),
        Check::Live => ("GET /livez", "not alive"),
    };
    let answer =
        ask(listener, request, patience).map_err(|unanswered| format!("{not}: {unanswered}"))?;
    if answer.status == 200 {
        return Ok(());
    }
    match missing(&answer.body) {
        Some(missing) => Err(format!("{not}: {missing}")),
        None => Err(format!("{not}: {listener} answers {}", answer.status)),
    }
}

/// What `/readyz` says of why it is not.
fn missing(body: &str) -> Option<String> {
    let view: Value = serde_json::from_str(body).ok()?;
    if view
        .get("draining")
        .is_some_and(|draining| *draining == true)
    {
        return Some("draining".to_owned());
    }
    let names = view.get("waiting_for")?.as_array()?.iter();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    Some(format!("waiting for {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::{PATIENCE, gateway, nobody};
    use super::*;

    fn told(answer: &'static [&'static str], check: Check) -> Result<(), String> {
        let (address, served) = gateway(answer);
        let told = probe(address, check, PATIENCE);
        let path = match check {
            Check::Ready => "GET /readyz ",
            Check::Live => "GET /livez ",
        };
        assert!(served.join().unwrap().starts_with(path));
        told.map_err(|why| why.replace(&address.to_string(), "HERE"))
    }

    #[test]
    fn what_is_asked_is_answered() {
        assert_eq!(told(&["HTTP/1.1 200 OK\r\n\r\n"], Check::Ready), Ok(()));
        assert_eq!(told(&["HTTP/1.1 200 OK\r\n\r\nok\n"], Check::Live), Ok(()));
        let waits =
            &["HTTP/1.1 503 x\r\n\r\n{\"ready\":false,\"waiting_for\":[\"schema\",\"app\"]}"];
        let said = told(waits, Check::Ready).unwrap_err();
        assert_eq!(said, "not ready: waiting for schema, app");
        let drains = &["HTTP/1.1 503 x\r\n\r\n{\"ready\":false,\"draining\":true}"];
        let said = told(drains, Check::Ready).unwrap_err();
        assert_eq!(said, "not ready: draining");
        let said = told(&["HTTP/1.1 404 Not Found\r\n\r\n"], Check::Live).unwrap_err();
        assert_eq!(said, "not alive: HERE answers 404");
        assert!(probe(nobody(), Check::Live, PATIENCE).is_err());
        let said = probe("127.0.0.1:0".parse().unwrap(), Check::Ready, PATIENCE).unwrap_err();
        assert!(said.contains("port 0"), "{said}");
    }
}

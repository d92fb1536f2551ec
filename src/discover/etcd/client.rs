//! [`Client`]: one question to whichever member of etcd answers.

use std::net::IpAddr;

use data_encoding::BASE64;
use http::Method;
use serde_json::{Value, json};

use super::Params;
use crate::discover::Place;
use crate::discover::exchange::{self, Answer, Asked, PATIENCE, within};

/// Asks one member until it fails, then the next.
pub(super) struct Client {
    params: Params,
    /// The member that is asked.
    at: usize,
    /// What etcd gave us for the password.
    token: Option<String>,
    /// The address of this machine, as etcd sees it.
    pub(super) local: Option<IpAddr>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is nobody.
    Away(String),
    /// etcd says no: gRPC's code, and its words.
    Refused(i64, String),
}

/// gRPC's codes, as far as they matter here.
pub(super) const NOT_FOUND: i64 = 5;
const UNAUTHENTICATED: i64 = 16;
const INVALID_ARGUMENT: i64 = 3;

impl Client {
    pub(super) fn new(params: &Params) -> Self {
        Self {
            params: params.clone(),
            at: 0,
            token: None,
            local: None,
        }
    }

    /// A question with one answer.
    pub(super) async fn call(&mut self, path: &str, body: &Value) -> Result<Value, Trouble> {
        let answer = Box::pin(self.open(path, body)).await?;
        let bytes = within(PATIENCE, "etcd", Box::pin(answer.whole())).await;
        let bytes = bytes.map_err(|why| self.away(why))?;
        let answer = serde_json::from_slice(&bytes);
        answer.map_err(|error| self.away(format!("etcd's answer is not JSON: {error}")))
    }

    /// A question whose answer goes on.
    pub(super) async fn open(&mut self, path: &str, body: &Value) -> Result<Answer, Trouble> {
        let first = self.token.is_some();
        match Box::pin(self.ask(path, body)).await {
            // The token was forgotten, by a member that is new or after a while.
            Err(Trouble::Refused(UNAUTHENTICATED | INVALID_ARGUMENT, _)) if first => {
                self.token = None;
                Box::pin(self.ask(path, body)).await
            }
            answer => answer,
        }
    }

    async fn ask(&mut self, path: &str, body: &Value) -> Result<Answer, Trouble> {
        if self.token.is_none()
            && let Some((name, password)) = &self.params.user
        {
            let file = password.display();
            let password = std::fs::read_to_string(password)
                .map_err(|error| Trouble::Away(format!("{file} cannot be read: {error}")))?;
            let body = json!({ "name": name, "password": password.trim() });
            let answer = self.send("/v3/auth/authenticate", &body).await?;
            let bytes = within(PATIENCE, "etcd", Box::pin(answer.whole())).await;
            let bytes = bytes.map_err(|why| self.away(why))?;
            let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let token = answer.get("token").and_then(Value::as_str);
            self.token = token.map(str::to_owned);
        }
        self.send(path, body).await
    }

    async fn send(&mut self, path: &str, body: &Value) -> Result<Answer, Trouble> {
        let Some(place) = self.member().cloned() else {
            return Err(Trouble::Away(String::from("no member of etcd is named")));
        };
        let asked = Asked {
            method: Method::POST,
            path,
            header: self.token.as_deref().map(|token| ("authorization", token)),
            body,
        };
        let answer = within(PATIENCE, &place, exchange::ask(&place, asked)).await;
        let answer = answer.map_err(|why| self.away(why))?;
        self.local = Some(answer.local);
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let bytes = within(PATIENCE, &place, answer.whole()).await;
        let said: Value = serde_json::from_slice(&bytes.unwrap_or_default()).unwrap_or_default();
        let code = said.get("code").and_then(Value::as_i64);
        match (code, said.get("message").and_then(Value::as_str)) {
            (Some(code), Some(message)) => {
                let message = message.to_owned();
                if code != NOT_FOUND {
                    // Another member may be in better health.
                    self.at += 1;
                }
                Err(Trouble::Refused(code, message))
            }
            _ => Err(self.away(format!("{place} answers {status}, which is not etcd"))),
        }
    }

    fn member(&self) -> Option<&Place> {
        let count = self.params.servers.len();
        self.params.servers.get(self.at.checked_rem(count)?)
    }

    /// The next question goes to another member.
    pub(super) fn away(&mut self, why: String) -> Trouble {
        self.at += 1;
        Trouble::Away(why)
    }
}

impl Trouble {
    /// In words.
    pub(super) fn told(self) -> String {
        match self {
            Self::Away(why) => why,
            Self::Refused(_, why) => format!("etcd says: {why}"),
        }
    }
}

/// A key or value as the gateway writes it.
pub(super) fn text(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes of a key or value.
pub(super) fn bytes(text: Option<&Value>) -> Vec<u8> {
    let text = text.and_then(Value::as_str).unwrap_or_default();
    BASE64.decode(text.as_bytes()).unwrap_or_default()
}

/// A number, which the gateway writes as text.
pub(super) fn number(value: Option<&Value>) -> i64 {
    let text = value.and_then(Value::as_str);
    let number = text.and_then(|text| text.parse().ok());
    number.or_else(|| value?.as_i64()).unwrap_or(0)
}

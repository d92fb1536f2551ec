//! One question to the agent.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::Params;
use crate::discover::exchange::{self, Asked, within};

/// What the agent says.
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Asks the agent and waits so long for the whole answer.
pub(super) async fn ask(
    params: &Params,
    method: Method,
    path: &str,
    body: &Value,
    patience: Duration,
) -> Result<Said, String> {
    // Read each time: whoever renews it need not tell us.
    let token = match &params.token {
        Some(file) => Some(fs::read_to_string(file).map_err(|error| {
            let file = file.display();
            format!("{file} cannot be read: {error}")
        })?),
        None => None,
    };
    let asked = Asked {
        method,
        path,
        header: token
            .as_deref()
            .map(|token| ("x-consul-token", token.trim())),
        body,
    };
    within(patience, &params.agent, async {
        let answer = exchange::ask(&params.agent, asked).await?;
        let status = answer.status();
        let headers = answer.head.headers.clone();
        let body = answer.whole().await?;
        Ok(Said {
            status,
            headers,
            body,
        })
    })
    .await
}

impl Said {
    /// What it is worth: an answer, or the agent's own words.
    pub(super) fn good(self) -> Result<Self, String> {
        if self.status.is_success() {
            return Ok(self);
        }
        let words = String::from_utf8_lossy(&self.body);
        let words: String = words.trim().chars().take(200).collect();
        Err(format!("Consul answers {}: {words}", self.status))
    }
}

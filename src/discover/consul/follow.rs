//! The healthy places of a service: each question waits until something is different.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::client::ask;
use super::{Params, Service};
use crate::discover::patience::Patience;
use crate::discover::{Found, Place, Update};

/// How long the agent may keep a question when nothing happens; it adds up to a sixteenth.
const WAIT: Duration = Duration::from_secs(60);

/// How much later than that an answer may come.
const LATE: Duration = Duration::from_secs(10);

/// The least time between two questions: one whose services come and go is not asked all the time.
const LEAST: Duration = Duration::from_millis(250);

/// How long a list that became empty is not believed, as it is while an agent starts.
const EMPTY_FOR: Duration = Duration::from_secs(10);

/// Tells the healthy places of a service whenever they change, for ever.
#[allow(
    clippy::infinite_loop,
    reason = "it ends with its task, which somebody owns"
)]
pub async fn follow(service: &Service, params: &Params, tell: &mut dyn FnMut(Update)) {
    let mut patience = Patience::default();
    let mut index = 0;
    let mut told_some = false;
    let mut empty_since = None;
    loop {
        let began = Instant::now();
        // Nobody waits long for a word on a list that is not believed.
        let wait = if empty_since.is_some() {
            EMPTY_FOR / 5
        } else {
            WAIT
        };
        match question(service, params, index, wait).await {
            Ok((found, next)) => {
                patience.succeed();
                // One that goes back was begun anew, by an agent that was.
                index = if next < index { 0 } else { next };
                if found.is_empty() && told_some {
                    let since = *empty_since.get_or_insert(began);
                    if Instant::now() < since + EMPTY_FOR {
                        sleep_until(began + LEAST).await;
                        continue;
                    }
                }
                told_some = !found.is_empty();
                empty_since = None;
                tell(Update::Found(found));
                sleep_until(began + LEAST).await;
            }
            Err(why) => {
                // What the agent knew may be gone with it.
                index = 0;
                tell(Update::Failed(why));
                sleep(patience.fail()).await;
            }
        }
    }
}

/// The places, and the index at which they are what they are.
async fn question(
    service: &Service,
    params: &Params,
    index: u64,
    wait: Duration,
) -> Result<(Vec<Found>, u64), String> {
    let path = path(service, index, wait);
    let patience = wait + wait / 16 + LATE;
    let said = ask(params, Method::GET, &path, &Value::Null, patience).await?;
    let said = said.good()?;
    let entries: Vec<Entry> = serde_json::from_slice(&said.body)
        .map_err(|error| format!("Consul's answer is not what is documented: {error}"))?;
    let next = said.headers.get("x-consul-index");
    let next = next.and_then(|value| value.to_str().ok()?.parse().ok());
    // One below 1 would never wait.
    Ok((found(entries), next.unwrap_or(0).max(1)))
}

fn path(service: &Service, index: u64, wait: Duration) -> String {
    let mut path = format!("/v1/health/service/{}?passing=true", escaped(&service.name));
    for (key, value) in [("tag", &service.tag), ("dc", &service.datacenter)] {
        if let Some(value) = value {
            path.push_str(&format!("&{key}={}", escaped(value)));
        }
    }
    if index > 0 {
        path.push_str(&format!("&index={index}&wait={}s", wait.as_secs()));
    }
    path
}

/// A text as one part of a path or a value of a query.
pub(super) fn escaped(text: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}

fn found(entries: Vec<Entry>) -> Vec<Found> {
    let one = |entry: Entry| {
        let service = entry.service;
        let address = Some(service.address).filter(|address| !address.is_empty());
        let host = address.unwrap_or(entry.node.address);
        let host = host.trim_matches(['[', ']']).to_owned();
        let sound = !host.is_empty() && service.port != 0;
        sound.then(|| Found {
            place: Place::tcp(host, service.port),
            weight: service.weights.map_or(1, |weights| weights.passing.max(1)),
            metadata: service.meta.filter(|meta| !meta.is_null()),
        })
    };
    entries.into_iter().filter_map(one).collect()
}

/// What the agent says of one place, as far as it matters.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Described,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(default)]
    address: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    #[serde(default)]
    address: String,
    #[serde(default)]
    port: u16,
    #[serde(default)]
    weights: Option<Weights>,
    #[serde(default)]
    meta: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: u32,
}

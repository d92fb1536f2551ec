//! The places under a prefix: read once, then watched.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::client::{Client, Trouble, bytes, number, text};
use super::{Params, naming};
use crate::discover::exchange::Answer;
use crate::discover::patience::Patience;
use crate::discover::{Found, Update};

/// How long a list that became empty is not believed: an etcd that has lost its data is told
/// everything anew within that time.
const EMPTY_FOR: Duration = Duration::from_secs(10);

/// How soon a watch that ends at once is begun again.
const AGAIN: Duration = Duration::from_millis(200);

/// Tells the places under a prefix whenever they change, for ever.
#[allow(
    clippy::infinite_loop,
    reason = "it ends with its task, which somebody owns"
)]
pub async fn follow(target: &str, params: &Params, tell: &mut dyn FnMut(Update)) {
    let mut follower = Follower {
        client: Client::new(params),
        prefix: naming::prefix(target),
        all: BTreeMap::new(),
        told_some: false,
        empty_since: None,
    };
    let mut patience = Patience::default();
    loop {
        let began = Instant::now();
        match follower.round(tell).await {
            // A watch ends when its etcd does, or when it has missed too much.
            Ok(()) => {
                patience.succeed();
                sleep_until(began + AGAIN).await;
            }
            Err(trouble) => {
                // What it says next may be all that is left of it.
                tell(Update::Failed(trouble.told()));
                sleep(patience.fail()).await;
            }
        }
    }
}

struct Follower {
    client: Client,
    prefix: String,
    /// By key; `None` for what is no place.
    all: BTreeMap<Vec<u8>, Option<Found>>,
    /// Whether anybody was ever found.
    told_some: bool,
    empty_since: Option<Instant>,
}

impl Follower {
    /// Reads everything, and watches for as long as that goes well.
    async fn round(&mut self, tell: &mut dyn FnMut(Update)) -> Result<(), Trouble> {
        let (key, end) = (text(self.prefix.as_bytes()), naming::end_of(&self.prefix));
        let range = json!({ "key": key, "range_end": text(&end) });
        let answer = self.client.call("/v3/kv/range", &range).await?;
        self.all.clear();
        let found = answer.get("kvs").and_then(Value::as_array);
        for pair in found.into_iter().flatten() {
            self.take(pair);
        }
        self.tell(tell);
        let from = number(answer.pointer("/header/revision")) + 1;
        let watch = json!({ "create_request": {
            "key": key,
            "range_end": text(&end),
            "start_revision": from.to_string(),
            "progress_notify": true,
        }});
        let mut watching = self.client.open("/v3/watch", &watch).await?;
        while self.event(&mut watching, tell).await? {}
        Ok(())
    }

    /// Waits for what happens next; `false` at the end.
    async fn event(
        &mut self,
        watching: &mut Answer,
        tell: &mut dyn FnMut(Update),
    ) -> Result<bool, Trouble> {
        let believed = self.empty_since.map(|since| since + EMPTY_FOR);
        let line = tokio::select! {
            line = watching.line() => line,
            () = until(believed) => {
                self.tell(tell);
                return Ok(true);
            }
        };
        let Some(line) = line.map_err(|why| self.client.away(why))? else {
            return Err(self.client.away(String::from("etcd ends the watch")));
        };
        let said: Value = serde_json::from_slice(&line).unwrap_or_default();
        if let Some(error) = said.get("error") {
            let why = error.get("message").and_then(Value::as_str);
            let why = why.unwrap_or("no reason given");
            return Err(self.client.away(format!("etcd ends the watch: {why}")));
        }
        let canceled = said.pointer("/result/canceled");
        if canceled.and_then(Value::as_bool) == Some(true) {
            // It was compacted away what we have not seen: everything is read anew.
            return Ok(false);
        }
        let events = said.pointer("/result/events").and_then(Value::as_array);
        for event in events.into_iter().flatten() {
            let Some(pair) = event.get("kv") else {
                continue;
            };
            if event.get("type").and_then(Value::as_str) == Some("DELETE") {
                self.all.remove(&bytes(pair.get("key")));
            } else {
                self.take(pair);
            }
        }
        if events.is_some() {
            self.tell(tell);
        }
        Ok(true)
    }

    fn take(&mut self, pair: &Value) {
        let (key, value) = (bytes(pair.get("key")), bytes(pair.get("value")));
        let found = naming::read(&value);
        if found.is_none() {
            let key = String::from_utf8_lossy(&key).into_owned();
            tracing::warn!(key, "this key of etcd tells no place and is left out");
        }
        self.all.insert(key, found);
    }

    /// Tells all places; that there are none, only when it stays so.
    fn tell(&mut self, tell: &mut dyn FnMut(Update)) {
        let found: Vec<Found> = self.all.values().flatten().cloned().collect();
        if found.is_empty() && self.told_some {
            let now = Instant::now();
            let since = *self.empty_since.get_or_insert(now);
            if now < since + EMPTY_FOR {
                return;
            }
        }
        self.told_some = !found.is_empty();
        self.empty_since = None;
        tell(Update::Found(found));
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

//! Our own place: a service with a check that has to be told again and again that we live.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Params;
use super::client::{Said, ask};
use super::follow::escaped;
use crate::discover::exchange::PATIENCE;
use crate::discover::patience::Patience;
use crate::discover::{Own, Place, Told};

/// An agent that has heard nothing for so long forgets us; Consul takes no less.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// Keeps our place in Consul until `until`, then takes it away.
pub async fn register(
    name: &str,
    own: &Own,
    params: &Params,
    until: impl Future<Output = ()>,
    tell: &mut dyn FnMut(Told),
) {
    let mut kept = Kept {
        name,
        own,
        params,
        id: None,
    };
    tokio::select! {
        () = kept.keep(tell) => {}
        () = until => {}
    }
    if let Some(id) = kept.id.take() {
        let path = format!("/v1/agent/service/deregister/{}", escaped(&id));
        let gone = kept.put(&path, &Value::Null).await.and_then(Said::good);
        tell(match gone {
            Ok(_) => Told::Withdrawn,
            Err(why) => Told::Failed(why),
        });
    }
}

struct Kept<'a> {
    name: &'a str,
    own: &'a Own,
    params: &'a Params,
    /// What the agent may know us by.
    id: Option<String>,
}

impl Kept<'_> {
    #[allow(
        clippy::infinite_loop,
        reason = "it ends with its task, which somebody owns"
    )]
    async fn keep(&mut self, tell: &mut dyn FnMut(Told)) {
        let mut patience = Patience::default();
        loop {
            let pause = match self.renew(tell).await {
                Ok(()) => {
                    patience.succeed();
                    self.own.ttl / 3
                }
                Err(why) => {
                    tell(Told::Failed(why));
                    patience.fail().min(self.own.ttl / 3)
                }
            };
            sleep(pause).await;
        }
    }

    /// Tells the agent that we live, or all about us if it does not know.
    async fn renew(&mut self, tell: &mut dyn FnMut(Told)) -> Result<(), String> {
        if let Some(id) = &self.id {
            let path = format!("/v1/agent/check/pass/{}", escaped(&format!("service:{id}")));
            let said = self.put(&path, &Value::Null).await?;
            if said.status.is_success() {
                tell(Told::Kept);
                return Ok(());
            }
            // Agents of several versions say in their own way that they know no such check.
            if !matches!(
                said.status,
                StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR
            ) {
                return said.good().map(drop);
            }
        }
        let (host, port) = match self.own.said() {
            Some(Place::Tcp { host, port }) => (Some(host), port),
            Some(place @ Place::Unix(_)) => {
                return Err(format!("{place} cannot be registered with Consul"));
            }
            // The agent takes the address of its own machine, which is ours.
            None => (None, self.own.listen.port()),
        };
        let at = host.as_deref().unwrap_or("host");
        let id = format!("{}-{at}-{port}", self.name);
        let mut service = json!({
            "ID": id,
            "Name": self.name,
            "Port": port,
            "Meta": self.own.metadata,
            "Check": {
                "TTL": format!("{}s", self.own.ttl.max(Duration::from_secs(1)).as_secs()),
                "Status": "passing",
                "DeregisterCriticalServiceAfter":
                    format!("{}s", FORGET_AFTER.max(self.own.ttl).as_secs()),
            },
        });
        if let (Some(host), Some(fields)) = (host, service.as_object_mut()) {
            fields.insert(String::from("Address"), host.into());
        }
        self.id = Some(id.clone());
        self.put("/v1/agent/service/register", &service)
            .await?
            .good()?;
        tell(Told::Registered(id));
        Ok(())
    }

    async fn put(&self, path: &str, body: &Value) -> Result<Said, String> {
        ask(self.params, Method::PUT, path, body, PATIENCE).await
    }
}

//! Our own place: a key that lives as long as its lease, which is kept alive, and made anew when
//! etcd has forgotten it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::client::{Client, NOT_FOUND, Trouble, number, text};
use super::{Params, naming};
use crate::discover::exchange::{PATIENCE, within};
use crate::discover::patience::Patience;
use crate::discover::{Own, Told};

/// Keeps our place in etcd until `until`, then takes it away.
pub async fn register(
    target: &str,
    own: &Own,
    params: &Params,
    until: impl Future<Output = ()>,
    tell: &mut dyn FnMut(Told),
) {
    let mut lease = Lease {
        client: Client::new(params),
        id: None,
    };
    tokio::select! {
        () = lease.keep(target, own, tell) => {}
        () = until => {}
    }
    if let Some(id) = lease.id.take() {
        let revoke = json!({ "ID": id.to_string() });
        let revoking = Box::pin(lease.client.call("/v3/lease/revoke", &revoke));
        let revoked = within(PATIENCE, "etcd", async {
            revoking.await.map_err(Trouble::told)
        });
        tell(match revoked.await {
            Ok(_) => Told::Withdrawn,
            Err(why) => Told::Failed(why),
        });
    }
}

struct Lease {
    client: Client,
    /// There is one that may not have ended.
    id: Option<i64>,
}

impl Lease {
    #[allow(
        clippy::infinite_loop,
        reason = "it ends with its task, which somebody owns"
    )]
    async fn keep(&mut self, target: &str, own: &Own, tell: &mut dyn FnMut(Told)) {
        let mut patience = Patience::default();
        loop {
            let pause = match self.renew(target, own, tell).await {
                Ok(()) => {
                    patience.succeed();
                    own.ttl / 3
                }
                Err(trouble) => {
                    tell(Told::Failed(trouble.told()));
                    patience.fail().min(own.ttl / 3)
                }
            };
            sleep(pause).await;
        }
    }

    /// Keeps the lease alive, or begins with one.
    async fn renew(
        &mut self,
        target: &str,
        own: &Own,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), Trouble> {
        if let Some(id) = self.id {
            let keep = json!({ "ID": id.to_string() });
            match self.client.call("/v3/lease/keepalive", &keep).await {
                Ok(answer) if number(answer.pointer("/result/TTL")) > 0 => {
                    tell(Told::Kept);
                    return Ok(());
                }
                // It has run out, or etcd has lost it.
                Ok(_) | Err(Trouble::Refused(NOT_FOUND, _)) => self.id = None,
                Err(trouble) => return Err(trouble),
            }
        }
        let grant = json!({ "TTL": own.ttl.max(Duration::from_secs(1)).as_secs().to_string() });
        let granted = self.client.call("/v3/lease/grant", &grant).await?;
        let id = number(granted.get("ID"));
        if id == 0 {
            return Err(Trouble::Away(String::from("etcd grants no lease")));
        }
        self.id = Some(id);
        let place = own.place(self.client.local);
        let key = format!("{}{place}", naming::prefix(target));
        let put: Value = json!({
            "key": text(key.as_bytes()),
            "value": text(naming::write(&place, own.metadata.as_ref()).as_bytes()),
            "lease": id.to_string(),
        });
        match self.client.call("/v3/kv/put", &put).await {
            Ok(_) => {
                tell(Told::Registered(key));
                Ok(())
            }
            Err(trouble) => {
                // One without its key is of no use; it runs out by itself.
                self.id = None;
                Err(trouble)
            }
        }
    }
}

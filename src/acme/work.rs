//! [`Work`]: what is due, one certificate after the other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::{Account, Error, NewAccount};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::{Instant, sleep};

use super::https::Https;
use super::order::{NoCertificate, Proofs, obtain};
use super::schedule::{Chance, due, pause};
use super::{Params, Stats, store};
use crate::telemetry::clock::Clock;
use crate::tls;

/// The clock is looked at again after this long at the latest: it may have been set.
const LOOK: Duration = Duration::from_secs(600);

/// What the thread does.
pub(super) struct Work {
    params: Params,
    client: Arc<tls::Client>,
    server: Arc<tls::Server>,
    stats: Arc<Stats>,
    proofs: Proofs,
    account: Option<Account>,
    names: Vec<Name>,
}

/// A certificate.
struct Name {
    name: String,
    path: PathBuf,
    chance: Chance,
    /// In a row.
    failures: u32,
    /// Not before.
    again: Option<Instant>,
}

impl Work {
    pub(super) fn new(
        params: Params,
        client: Arc<tls::Client>,
        server: Arc<tls::Server>,
        stats: Arc<Stats>,
        proofs: Proofs,
    ) -> Self {
        let names = params.names.iter().map(|name| {
            stats.count(name, None);
            Name {
                name: name.clone(),
                path: store::certificate(&params.folder, name),
                chance: chance(),
                failures: 0,
                again: None,
            }
        });
        Self {
            names: names.collect(),
            params,
            client,
            server,
            stats,
            proofs,
            account: None,
        }
    }

    /// Renews for ever.
    #[allow(
        clippy::infinite_loop,
        reason = "it ends with its thread, which somebody owns"
    )]
    pub(super) async fn keep(&mut self) {
        loop {
            for index in 0..self.names.len() {
                if self.wait(index).is_zero() {
                    self.renew(index).await;
                }
            }
            let waits = (0..self.names.len()).map(|index| self.wait(index));
            sleep(waits.min().unwrap_or(LOOK).min(LOOK)).await;
        }
    }

    /// How long nothing is to be done for a certificate.
    fn wait(&self, index: usize) -> Duration {
        let Some(name) = self.names.get(index) else {
            return LOOK;
        };
        let rest = name.again.map_or(Duration::ZERO, |again| {
            again.saturating_duration_since(Instant::now())
        });
        let due = tls::facts_of(&name.path).map_or(Duration::ZERO, |facts| {
            let at = due(facts.not_before, facts.not_after, name.chance);
            at.duration_since(now()).unwrap_or_default()
        });
        due.max(rest)
    }

    async fn renew(&mut self, index: usize) {
        let Some((name, path)) = self
            .names
            .get(index)
            .map(|name| (name.name.clone(), name.path.clone()))
        else {
            return;
        };
        let mut obtained = self.obtain(&name).await;
        if matches!(obtained, Err(NoCertificate::NoAccount)) {
            // The authority has forgotten it; it is told of another one.
            self.account = None;
            store::forget_account(&self.params.folder);
            obtained = self.obtain(&name).await;
        }
        let kept = obtained.and_then(|pem| {
            let facts = tls::check_managed(pem.as_bytes(), now()).map_err(|what| {
                NoCertificate::Refused(format!("what the authority gave {what}"))
            })?;
            store::write(&path, pem.as_bytes()).map_err(|error| {
                let told = format!("`{}` cannot be written: {error}", path.display());
                NoCertificate::Away(Error::Other(told.into()))
            })?;
            Ok(facts)
        });
        self.stats.count(&name, Some(kept.is_ok()));
        let Some(state) = self.names.get_mut(index) else {
            return;
        };
        match kept {
            Ok(facts) => {
                (state.failures, state.again) = (0, None);
                tracing::info!(
                    name,
                    until = tls::date(facts.not_after),
                    "a new certificate"
                );
                self.show();
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                let refused = matches!(error, NoCertificate::Refused(_));
                let wait = pause(state.failures, refused, chance());
                state.again = Some(Instant::now() + wait);
                let (failures, again_in_s) = (state.failures, wait.as_secs());
                tracing::error!(
                    name,
                    %error,
                    failures,
                    again_in_s,
                    "no certificate; what is there stays"
                );
            }
        }
    }

    /// New handshakes see what is on disk.
    fn show(&self) {
        match self.server.reload(now()) {
            Ok(_) => {}
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!("the new certificate waits until this is mended");
            }
        }
    }

    async fn obtain(&mut self, name: &str) -> Result<String, NoCertificate> {
        let account = self.account().await?;
        obtain(&account, name, &self.proofs).await
    }

    async fn account(&mut self) -> Result<Account, NoCertificate> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let (folder, directory) = (&self.params.folder, &self.params.directory);
        let failed = |error: std::io::Error| {
            let told = format!("the account in `{}`: {error}", folder.display());
            NoCertificate::Away(Error::Other(told.into()))
        };
        let builder = Account::builder_with_http(Box::new(Https(Arc::clone(&self.client))));
        let account = match store::account(folder, directory).map_err(failed)? {
            Some(kept) => builder.from_credentials(kept).await?,
            None => {
                let contact = self.params.contact.as_ref();
                let contact = contact.map(|address| format!("mailto:{address}"));
                let new = NewAccount {
                    contact: &contact.as_deref().into_iter().collect::<Vec<_>>(),
                    terms_of_service_agreed: true,
                    only_return_existing: false,
                };
                let made = builder.create(&new, directory.clone(), None).await?;
                store::keep_account(folder, directory, made.1).map_err(failed)?;
                tracing::info!(directory, "a new account");
                made.0
            }
        };
        self.account = Some(account.clone());
        Ok(account)
    }
}

fn now() -> SystemTime {
    (Clock::system().wall)()
}

/// From 0 to 1; in the middle where the system has none to give.
fn chance() -> Chance {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => Chance::from(u32::from_le_bytes(bytes)) / Chance::from(u32::MAX),
        Err(_) => 0.5,
    }
}

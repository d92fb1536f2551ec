//! Brings the keys of those who sign tokens, wherever they are published: when the gateway starts,
//! now and then, and when a token names one that is not known, but never oftener than every 30 s.
//!
//! What cannot be fetched changes nothing: keys that are known stay.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::auth::{KeySet, Keys, MOST_BYTES, Remote};
use crate::config::Config;
use crate::export::fetch::{Document, fetch};
use crate::life::task::{self, Task};
use crate::telemetry::clock::Clock;

/// The shortest time between two requests to one place.
const PAUSE: Duration = Duration::from_secs(30);

/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps the keys of whatever configuration is in effect, for as long as it is polled.
pub(super) async fn follow(mut configs: watch::Receiver<Arc<Config>>) {
    let mut kept: Vec<(Arc<KeySet>, Task<()>)> = Vec::new();
    loop {
        let config = Arc::clone(&configs.borrow_and_update());
        kept.retain(|(set, _)| config.auth.remotes().any(|one| Arc::ptr_eq(one, set)));
        for set in config.auth.remotes() {
            if !kept.iter().any(|(one, _)| Arc::ptr_eq(one, set)) {
                let Some(remote) = set.remote().cloned() else {
                    continue;
                };
                let bringing = move || bring(remote.clone());
                let task = task::spawn_local("keys", keep(Arc::clone(set), bringing));
                kept.push((Arc::clone(set), task));
            }
        }
        if configs.changed().await.is_err() {
            return;
        }
    }
}

#[allow(
    clippy::infinite_loop,
    reason = "it ends with its task, which somebody owns"
)]
async fn keep<F>(set: Arc<KeySet>, bring: impl Fn() -> F)
where
    F: Future<Output = Result<Keys, String>>,
{
    let Some(remote) = set.remote() else {
        return;
    };
    loop {
        let began = Instant::now();
        let brought = bring().await;
        let next = match &brought {
            Ok(keys) => {
                tracing::debug!(url = %remote.url, keys = keys.count(), "keys were fetched");
                remote.refresh.max(PAUSE)
            }
            Err(error) => {
                let known = set.keys().count();
                tracing::warn!(url = %remote.url, error, known, "keys cannot be fetched");
                PAUSE
            }
        };
        set.close(brought.map_err(drop));
        sleep_until(began + PAUSE).await;
        set.open();
        tokio::select! {
            () = sleep_until(began + next) => {}
            () = set.wanted() => {}
        }
    }
}

async fn bring(remote: Remote) -> Result<Keys, String> {
    let document = Document {
        url: &remote.url,
        authorities: &remote.authorities,
        limit: MOST_BYTES,
        patience: PATIENCE,
        now: (Clock::system().wall)(),
    };
    let found = fetch(&document).await.map_err(|error| error.to_string())?;
    // A shared secret that everybody can read proves nothing.
    Keys::parse(&found, false)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use super::*;

    /// A place that publishes what the test says, and how often it was asked.
    #[derive(Clone, Default)]
    struct Published(Rc<(RefCell<Option<String>>, Cell<u32>)>);

    impl Published {
        fn say(&self, kids: Option<&[&str]>) {
            let keys = kids.map(|kids| {
                let key = |kid: &&str| {
                    let x = "A".repeat(43);
                    format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}"#)
                };
                let keys: Vec<String> = kids.iter().map(key).collect();
                format!(r#"{{"keys":[{}]}}"#, keys.join(","))
            });
            *self.0.0.borrow_mut() = keys;
        }

        fn ask(&self) -> Result<Keys, String> {
            self.0.1.set(self.0.1.get() + 1);
            let document = self.0.0.borrow();
            let document = document.as_ref().ok_or("nobody is there")?;
            Keys::parse(document.as_bytes(), false)
        }

        fn asked(&self) -> u32 {
            self.0.1.get()
        }
    }

    fn set() -> Arc<KeySet> {
        KeySet::at(Remote {
            url: "http://127.0.0.1:1/".parse().unwrap(),
            authorities: Vec::new(),
            refresh: Duration::from_secs(300),
        })
    }

    fn start(set: &Arc<KeySet>, published: &Published) -> Task<()> {
        let (set, published) = (Arc::clone(set), published.clone());
        let bring = move || std::future::ready(published.ask());
        task::spawn_local("keys", async move { keep(set, bring).await })
    }

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn f46_a_flood_of_unknown_keys_asks_once_in_30_seconds() {
        let (set, published) = (set(), Published::default());
        published.say(Some(&["a"]));
        let first = set.want().expect("the first keys are waited for");
        let _task = start(&set, &published);
        first.over().await;
        assert_eq!((set.keys().count(), published.asked()), (1, 1));
        for second in 0..100 {
            for _ in 0..100 {
                // Nobody waits for what does not come soon.
                assert!(set.want().is_none() || second % 30 == 0, "{second}");
            }
            pass(1).await;
        }
        assert!(
            (3..=4).contains(&published.asked()),
            "{}",
            published.asked()
        );
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn f46_keys_are_rotated_and_outlive_the_place_they_come_from() {
        let (set, published) = (set(), Published::default());
        published.say(Some(&["a"]));
        let _task = start(&set, &published);
        pass(31).await;
        // After a while without a reason, and at once for one.
        published.say(Some(&["a", "b"]));
        let waiting = set.want().expect("a new key is waited for");
        waiting.over().await;
        assert_eq!((set.keys().count(), published.asked()), (2, 2));
        published.say(None);
        pass(3600).await;
        assert_eq!(set.keys().count(), 2, "what is known stays");
        let (tries, failures) = set.tries();
        assert!(
            failures > 100 && failures <= 120 && tries == failures + 2,
            "{tries} {failures}"
        );
        published.say(Some(&["c"]));
        pass(31).await;
        assert_eq!(set.keys().count(), 1);
        let asked = published.asked();
        pass(3600).await;
        assert!(
            (11..=13).contains(&(published.asked() - asked)),
            "every 5 minutes"
        );
    }
}

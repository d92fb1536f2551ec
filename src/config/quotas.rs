//! What the settings say about how many calls there may be.

use std::sync::Arc;
use std::time::Duration;

use super::settings::{QuotaSettings, Settings};
use super::tree::Tree;
use super::values::{CallRate, Selector};
use crate::layer::limit::Loads;
use crate::schema::policy::Policies;
use crate::schema::problem::Problem;
use crate::schema::quota::{Bounds, Quota, Rate};

const QUEUE_TIME: Duration = Duration::from_millis(100);

/// That of everybody, if there is one.
pub(super) fn everybody(settings: &Settings) -> Option<Arc<Quota>> {
    quota("limits", settings.limits.common.quota)
}

/// That of a selector, if there is one; `covering` are those that cover it, the widest first.
pub(super) fn of_route(settings: &Settings, covering: &[&Selector]) -> Option<Arc<Quota>> {
    let given = |selector: &&Selector| {
        let route = settings.routes.get(*selector)?;
        let quota = route.limits.quota;
        (quota != QuotaSettings::default()).then_some(quota)
    };
    // The most specific one that says anything counts its own methods.
    let name = covering
        .iter()
        .rev()
        .find(|selector| given(selector).is_some())?;
    let all = covering.iter().filter_map(given);
    let whole = all.fold(QuotaSettings::default(), |wide, own| own.onto(&wide));
    quota(name.as_str(), whole)
}

fn quota(name: &str, settings: QuotaSettings) -> Option<Arc<Quota>> {
    let quota = Quota {
        name: name.into(),
        all: Bounds {
            rate: settings.rate.map(|given| rate(given, settings.burst)),
            concurrency: settings.concurrency,
        },
        client: Bounds {
            rate: settings
                .client_rate
                .map(|given| rate(given, settings.client_burst)),
            concurrency: settings.client_concurrency,
        },
        queue: settings.queue.unwrap_or_default(),
        queue_time: settings.queue_time.map_or(QUEUE_TIME, |period| period.0),
    };
    let any = quota.all.any() || quota.client.any();
    any.then(|| Arc::new(quota))
}

fn rate(given: CallRate, burst: Option<u32>) -> Rate {
    let interval = given.interval();
    let a_second = Duration::from_secs(1).as_nanos() / interval.as_nanos().max(1);
    Rate {
        interval,
        burst: burst.unwrap_or_else(|| u32::try_from(a_second).unwrap_or(u32::MAX).max(1)),
    }
}

/// What is used of these policies' quotas; of those that have not changed what was used `before`.
pub(super) fn loads(policies: &Policies, before: Option<&Loads>) -> Arc<Loads> {
    let now = tokio::time::Instant::now().into_std();
    Arc::new(Loads::new(&all(policies), before, now))
}

/// Every quota of these policies once.
fn all(policies: &Policies) -> Vec<Arc<Quota>> {
    let exceptions = policies.exceptions.iter().map(|(_, policy)| policy);
    let mut found: Vec<Arc<Quota>> = Vec::new();
    for quota in exceptions
        .chain([&policies.default])
        .flat_map(|policy| &policy.quotas)
    {
        if !found.iter().any(|known| known.name == quota.name) {
            found.push(Arc::clone(quota));
        }
    }
    found
}

/// Tells of what has no effect.
pub(super) fn conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    check(&["limits"], settings.limits.common.quota, tree, problems);
    for (selector, route) in &settings.routes {
        let at = ["routes", selector.as_str(), "limits"];
        let covering = settings
            .routes
            .iter()
            .filter(|(wide, _)| wide.covers(selector));
        let wide = covering.fold(QuotaSettings::default(), |wide, (_, one)| {
            one.limits.quota.onto(&wide)
        });
        let own = route.limits.quota;
        // What another selector completes is whole.
        let whole = QuotaSettings {
            rate: wide.rate,
            client_rate: wide.client_rate,
            concurrency: wide.concurrency,
            ..own
        };
        check(&at, whole, tree, problems);
    }
}

fn check(at: &[&str], given: QuotaSettings, tree: &Tree, problems: &mut Vec<Problem>) {
    for (key, is_given, needed, is_there) in [
        ("burst", given.burst.is_some(), "rate", given.rate.is_some()),
        (
            "client_burst",
            given.client_burst.is_some(),
            "client_rate",
            given.client_rate.is_some(),
        ),
        (
            "queue",
            given.queue.is_some_and(|queue| queue > 0),
            "concurrency",
            given.concurrency.is_some(),
        ),
    ] {
        if is_given && !is_there {
            let name = at.join(".");
            let place = tree.place(&[at, &[key]].concat());
            let message = format!("`{name}.{key}` has no effect without `{name}.{needed}`");
            problems.push(Problem::error(place, message).with_help("give both, or none"));
        }
    }
}

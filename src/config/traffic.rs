//! From what `routes` says of where calls go to [`Traffic`].

use std::sync::Arc;

use super::settings::RouteSettings;
use crate::schema::policy::Policy;
use crate::schema::split::Split;
use crate::schema::traffic::Traffic;

/// Lays what a route says onto what a wider one has said.
pub(super) fn lay(policy: &mut Policy, route: &RouteSettings, split: Option<&Arc<Split>>) {
    let said = policy.traffic.as_deref().cloned();
    let mut traffic = said.unwrap_or_default();
    if let Some(name) = &route.upstream {
        traffic.upstream = Some(Arc::from(&*name.0));
        traffic.split = None;
    }
    if let Some(split) = split {
        traffic.split = Some(Arc::clone(split));
        traffic.upstream = None;
    }
    policy.traffic = (traffic != Traffic::default()).then(|| Arc::new(traffic));
}

/// What a selector of everything says holds for native calls too whose methods no schema knows.
pub(super) fn of_unknown(exceptions: &[(Box<str>, Arc<Policy>)]) -> Option<Arc<Traffic>> {
    let (_, policy) = exceptions.iter().find(|(selector, _)| &**selector == "*")?;
    policy.traffic.clone()
}

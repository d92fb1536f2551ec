//! From `upstreams` to the [`Params`] of the connections to the application.

use std::sync::Arc;

use super::settings::{OutlierSettings, UpstreamSettings};
use super::values::{Period, UpstreamUrl};
use crate::upstream::{Ejection, Endpoints, Outliers, Params, Target};

/// Where an application listens when nothing is said.
const DEFAULT_PORT: u16 = 50051;

/// The connections to the application: what is not given is as [`Params::new`] has it.
pub(super) fn connections(given: Option<&UpstreamSettings>) -> Params {
    let endpoints = given.map_or(&[][..], |given| &given.endpoints);
    let named = given.and_then(|given| given.url.as_ref());
    let target = match named.or_else(|| endpoints.first()) {
        Some(UpstreamUrl { target, .. }) => target.clone(),
        None => Target::Tcp {
            host: "127.0.0.1".to_owned(),
            port: DEFAULT_PORT,
        },
    };
    let base = Params::new(target);
    let Some(given) = given else { return base };
    let period = |given: Option<Period>, base| given.map_or(base, |period| period.0);
    let base = Params {
        connect_timeout: period(given.connect_timeout, base.connect_timeout),
        max_age: period(given.max_age, base.max_age),
        max_connections: given
            .max_connections
            .map_or(base.max_connections, |most| most as usize),
        max_waiting: given
            .max_waiting
            .map_or(base.max_waiting, |most| most as usize),
        max_header_list: given.head.map_or(base.max_header_list, |size| {
            u32::try_from(size.0).unwrap_or(u32::MAX)
        }),
        ..outliers(given.outliers, base)
    };
    if endpoints.is_empty() {
        return base;
    }
    let targets = endpoints.iter().map(|url| url.target.clone());
    Params {
        endpoints: Arc::new(Endpoints::new(targets)),
        ..base
    }
}

fn outliers(given: OutlierSettings, base: Params) -> Params {
    let period = |given: Option<Period>, base| given.map_or(base, |period| period.0);
    Params {
        outliers: Outliers {
            consecutive: given.consecutive.unwrap_or(base.outliers.consecutive),
            ratio: given
                .percent
                .map_or(base.outliers.ratio, |percent| f64::from(percent) / 100.0),
            minimum: given.minimum.unwrap_or(base.outliers.minimum),
            window: period(given.window, base.outliers.window),
        },
        ejection: Ejection {
            first: period(given.pause, base.ejection.first),
            longest: period(given.longest_pause, base.ejection.longest),
        },
        ..base
    }
}

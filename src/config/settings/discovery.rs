//! `discovery`: how those are asked who know where an application is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{DnsServer, Period};

/// How those are asked who know where an application is. Who is asked says the `url` of an
/// upstream.
///
/// Whatever becomes of them, the places that were found last are called.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct DiscoverySettings {
    /// For `dns:///` and `dns+srv:///`.
    pub dns: DnsSettings,
}

/// How names are resolved, at most one question a second for each.
///
/// Names in `/etc/hosts` are asked of nobody.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct DnsSettings {
    /// Who is asked: addresses, with a port if it is not 53. None: those of `/etc/resolv.conf`,
    /// whose search list holds either way.
    pub servers: Vec<DnsServer>,

    /// An answer is good for at least so long, whatever its TTL says; that there is none, too.
    pub min_ttl: Period,

    /// An answer is good for at most so long.
    pub max_ttl: Period,

    /// How long a server may take.
    pub timeout: Period,
}

//! `discovery`: how those are asked who know where an application is, and who is told of this one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::values::{DnsServer, Period, PlaceName, RegistryUrl};

/// How those are asked who know where an application is, and who is told of this one. Who is asked
/// says the `url` of an upstream.
///
/// Whatever becomes of them, the places that were found last are called.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct DiscoverySettings {
    /// For `dns:///` and `dns+srv:///`.
    pub dns: DnsSettings,

    /// For `etcd:///`, and for `register`.
    pub etcd: EtcdSettings,

    /// For `consul:///`, and for `register`.
    pub consul: ConsulSettings,

    /// Who is told that this application can be found here: while it is ready and not being drained.
    pub register: RegisterSettings,
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

/// How etcd is asked, by its JSON gateway. The layout is that of `clientv3/naming/endpoints`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct EtcdSettings {
    /// Its members: the next is asked when one fails.
    pub endpoints: Vec<RegistryUrl>,

    /// Who asks, where etcd wants to know it.
    pub user: Option<String>,

    /// A file with the password of `user`.
    pub password_file: Option<PathBuf>,
}

/// How Consul's agent is asked.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ConsulSettings {
    /// The agent.
    pub url: RegistryUrl,

    /// A file with the token for it.
    pub token_file: Option<PathBuf>,
}

/// Who is told where this application is found.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct RegisterSettings {
    /// What the key in etcd begins with: `services/app` makes `services/app/ADDRESS`.
    pub etcd: Option<String>,

    /// The name of the service in Consul.
    pub consul: Option<String>,

    /// Where others find this gateway. Not set: where it listens; if that is everywhere, the address
    /// of this machine towards etcd, or what Consul's agent knows it by.
    pub address: Option<PlaceName>,

    /// How long others may believe that it lives when they hear nothing. It is told three times as
    /// often.
    pub ttl: Period,

    /// What else is told of it.
    pub metadata: BTreeMap<String, String>,
}

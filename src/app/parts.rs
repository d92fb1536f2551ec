//! The parts of the gateway that are made anew beside the schema and the workers.

use std::sync::Arc;

use super::reload::{Part, Prepared};
use crate::auth::Issuer;
use crate::config::Config;
use crate::schema::problem::Problem;
use crate::telemetry::clock::Clock;
use crate::telemetry::diagnostics::Level;
use crate::tls::{Changed, Client, Server};

/// All of them.
pub(super) fn of(server: Option<Arc<Server>>, level: Option<Level>) -> Vec<Part> {
    let mut parts = vec![certificates(server), app_certificates(), token_keys()];
    parts.extend(level.map(log_level));
    parts
}

/// What the gateway tells about itself follows the configuration. A level that an operator has set
/// meanwhile stays until the file says another one than before.
fn log_level(level: Level) -> Part {
    Part {
        name: "log level",
        paths: Box::new(|_config| Vec::new()),
        prepare: Box::new(move |before, after| {
            let (known, wanted) = (before.telemetry.level, after.telemetry.level);
            let level = level.clone();
            Ok(Prepared::silent(move || {
                if wanted != known
                    && let Err(error) = level.set(wanted.as_str())
                {
                    tracing::warn!(%error, "the log level cannot be changed");
                }
            }))
        }),
    }
}

/// The files with the keys of tokens: the configuration itself holds what they say, and this tells of
/// it.
fn token_keys() -> Part {
    Part {
        name: "keys of tokens",
        paths: Box::new(|_config| Vec::new()),
        prepare: Box::new(|before, after| {
            let same = |issuer: &&Issuer| {
                let known = before
                    .auth
                    .issuers
                    .iter()
                    .find(|one| one.name == issuer.name);
                known.is_some_and(|one| one.keys.keys().digest() == issuer.keys.keys().digest())
            };
            let issuers = after.auth.issuers.iter();
            let changed = issuers.filter(|issuer| issuer.keys.remote().is_none() && !same(issuer));
            let keys = before.auth.api_keys.digest() != after.auth.api_keys.digest();
            let keys = keys.then(|| String::from("API keys"));
            Ok(Prepared {
                changes: changed
                    .map(|issuer| format!("keys: {}", issuer.name))
                    .chain(keys)
                    .collect(),
                ..Prepared::silent(|| {})
            })
        }),
    }
}

/// Certificates, keys and who signs clients: for the handshakes from then on.
fn certificates(server: Option<Arc<Server>>) -> Part {
    let files = server.clone();
    Part {
        name: "certificates",
        paths: Box::new(move |_config: &Config| {
            files.as_deref().map(Server::files).unwrap_or_default()
        }),
        prepare: Box::new(move |_before, after| {
            let (server, params) = match (&server, &after.tls) {
                (Some(server), Some(params)) => (Arc::clone(server), params.clone()),
                (None, None) => return Ok(Prepared::silent(|| {})),
                (Some(_), None) | (None, Some(_)) => {
                    let message = "TLS is turned on or off by a restart only";
                    return Ok(Prepared {
                        warnings: vec![Problem::warning(None, message)],
                        ..Prepared::silent(|| {})
                    });
                }
            };
            let (next, warnings) = server.prepare(params, (Clock::system().wall)())?;
            let changes = if next.changed() == Changed::Yes {
                next.names()
                    .map(|name| format!("certificate: {name}"))
                    .collect()
            } else {
                Vec::new()
            };
            Ok(Prepared {
                changes,
                warnings,
                commit: Box::new(move || server.commit(next)),
            })
        }),
    }
}

/// What the application is called with and believed by: for the connections from then on. Where the
/// configuration names other files, the connections are made anew, and this has nothing to do.
fn app_certificates() -> Part {
    Part {
        name: "certificates for the application",
        paths: Box::new(|config| {
            let clients = config.upstreams().filter_map(|one| one.tls.as_deref());
            clients.flat_map(Client::files).collect()
        }),
        prepare: Box::new(|_before, after| {
            let (mut renewed, mut problems) = (Vec::new(), Vec::new());
            for client in after.upstreams().filter_map(|one| one.tls.clone()) {
                match client.prepare((Clock::system().wall)()) {
                    Ok(fresh) => renewed.extend(fresh.map(|fresh| (client, fresh))),
                    Err(found) => problems.extend(found),
                }
            }
            if !problems.is_empty() {
                return Err(problems);
            }
            let told = (!renewed.is_empty()).then(|| "certificates for the application".to_owned());
            Ok(Prepared {
                changes: told.into_iter().collect(),
                ..Prepared::silent(move || {
                    for (client, fresh) in renewed {
                        client.commit(fresh);
                    }
                })
            })
        }),
    }
}

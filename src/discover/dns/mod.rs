//! Names and what they lead to: A and AAAA, or SRV. [`follow`] asks again when an answer is old.
//!
//! An answer is good for as long as its TTL says, between two bounds; who does not answer is asked
//! again soon, and never more often than once a second. What was found is kept meanwhile: that a
//! name is unknown for a moment does not mean that nobody is there (fault 37).
//!
//! Every question is one packet of our own, so that they can be counted: the messages are
//! hickory's, but its resolver repeats a question behind one's back.

mod ask;
mod system;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::{Name, RData, RecordType};
use tokio::time::{Instant, sleep_until};

use super::{Found, Place, Update};
use ask::{Answer, Asker};
use system::System;

/// How names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// Who is asked; those of the system if empty.
    pub servers: Vec<SocketAddr>,
    /// How long an answer is good for at least.
    pub min_ttl: Duration,
    /// How long it is good for at most.
    pub max_ttl: Duration,
    /// How long a server may take.
    pub timeout: Duration,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The addresses of a host, each with this port.
    Addresses {
        /// The name.
        host: String,
        /// The port.
        port: u16,
    },
    /// The services of a name.
    Services(String),
}

/// The time that each question takes of the time to the next: a little less than one a second.
const PACE: Duration = Duration::from_millis(1100);

/// Asks, tells what comes of it, and asks again, for ever.
#[allow(
    clippy::infinite_loop,
    reason = "it ends with its task, which somebody owns"
)]
pub async fn follow(wanted: Wanted, params: Params, tell: &mut dyn FnMut(Update)) {
    let mut follower = Follower {
        wanted,
        params,
        answered: None,
        six: Vec::new(),
        server: 0,
    };
    loop {
        let began = Instant::now();
        let (outcome, asked) = follower.round().await;
        let good_for = match outcome {
            Ok(Good { found, ttl }) => {
                tell(Update::Found(found));
                ttl
            }
            Err(bad) => {
                tell(Update::Failed(bad.why));
                bad.ttl
            }
        };
        sleep_until(began + pause(good_for, asked, &follower.params)).await;
    }
}

/// How long after the beginning of a round the next one begins.
fn pause(ttl: Duration, asked: u32, params: &Params) -> Duration {
    let ttl = ttl.min(params.max_ttl).max(params.min_ttl);
    ttl.max(PACE * asked.max(1))
}

/// What a name leads to.
struct Good {
    found: Vec<Found>,
    ttl: Duration,
}

/// Why nothing was found, and how long that is so.
struct Bad {
    why: String,
    ttl: Duration,
    /// There is no such name: another one may be meant.
    unknown: bool,
}

impl Bad {
    fn new(why: String, ttl: Duration) -> Self {
        Self {
            why,
            ttl,
            unknown: false,
        }
    }

    /// No server is of help.
    fn unanswered(why: String) -> Self {
        Self::new(why, Duration::ZERO)
    }

    fn no_such_name(name: &Name, ttl: Duration) -> Self {
        let why = format!("{} is known to nobody", name.to_ascii());
        Self {
            unknown: true,
            ..Self::new(why, ttl)
        }
    }
}

struct Follower {
    wanted: Wanted,
    params: Params,
    /// Of all full names that may be meant, the one that was known to somebody.
    answered: Option<Name>,
    /// The IPv6 addresses that were found last.
    six: Vec<Place>,
    /// The server that answered last.
    server: usize,
}

impl Follower {
    /// Looks everything up once; how many questions that took.
    async fn round(&mut self) -> (Result<Good, Bad>, u32) {
        let lasting = |found| {
            let ttl = Duration::MAX;
            (Ok(Good { found, ttl }), 0)
        };
        if let Wanted::Addresses { host, port } = &self.wanted
            && (host.parse::<IpAddr>().is_ok() || system::is_in_hosts(host))
        {
            return lasting(vec![Found::at(Place::tcp(host.as_str(), *port))]);
        }
        let system = match System::read(&self.params.servers) {
            Ok(system) => system,
            Err(why) => return (Err(Bad::unanswered(why)), 0),
        };
        let mut asker = Asker::new(&system.servers, self.server, self.params.timeout);
        let outcome = self.names(&system, &mut asker).await;
        self.server = asker.first();
        (outcome, asker.asked())
    }

    /// Tries all names that may be meant, until one is known.
    async fn names(&mut self, system: &System, asker: &mut Asker<'_>) -> Result<Good, Bad> {
        let names = match &self.answered {
            Some(name) => vec![name.clone()],
            None => system.names(self.name()),
        };
        let mut bad = Bad::unanswered(format!("`{}` is not a name", self.name()));
        for name in names {
            let found = match &self.wanted {
                Wanted::Addresses { port, .. } => {
                    let port = *port;
                    self.addresses(&name, port, asker).await
                }
                Wanted::Services(_) => services(&name, asker).await,
            };
            match found {
                Ok(good) => {
                    self.answered = Some(name);
                    return Ok(good);
                }
                Err(worse) if worse.unknown => bad = worse,
                Err(worse) => return Err(worse),
            }
        }
        Err(bad)
    }

    fn name(&self) -> &str {
        match &self.wanted {
            Wanted::Addresses { host, .. } => host,
            Wanted::Services(name) => name,
        }
    }

    /// The addresses of a name.
    async fn addresses(
        &mut self,
        name: &Name,
        port: u16,
        asker: &mut Asker<'_>,
    ) -> Result<Good, Bad> {
        let four = asker.ask(name, RecordType::A).await;
        let four = match four.map_err(Bad::unanswered)? {
            Answer::NoSuchName(ttl) => return Err(Bad::no_such_name(name, ttl)),
            Answer::Records(answer) => answer,
        };
        let mut places: Vec<Place> = four.addresses(port);
        let mut ttl = four.ttl;
        match asker.ask(name, RecordType::AAAA).await {
            Ok(Answer::Records(six)) => {
                self.six = six.addresses(port);
                if !self.six.is_empty() || places.is_empty() {
                    ttl = ttl.min(six.ttl);
                }
            }
            // There are servers that fail to say that they have none.
            Ok(Answer::NoSuchName(_)) | Err(_) if !places.is_empty() => {}
            Ok(Answer::NoSuchName(ttl)) => return Err(Bad::no_such_name(name, ttl)),
            Err(why) => return Err(Bad::unanswered(why)),
        }
        places.extend(self.six.iter().cloned());
        if places.is_empty() {
            let why = format!("{} has no addresses", name.to_ascii());
            return Err(Bad::new(why, ttl));
        }
        let found = places.into_iter().map(Found::at).collect();
        Ok(Good { found, ttl })
    }
}

/// The services of a name: those that come first if they differ in priority.
async fn services(name: &Name, asker: &mut Asker<'_>) -> Result<Good, Bad> {
    let answer = asker.ask(name, RecordType::SRV).await;
    let answer = match answer.map_err(Bad::unanswered)? {
        Answer::NoSuchName(ttl) => return Err(Bad::no_such_name(name, ttl)),
        Answer::Records(answer) => answer,
    };
    let all = answer.records.iter().filter_map(|data| match data {
        RData::SRV(service) if !service.target.is_root() => Some(service),
        _ => None,
    });
    let first = all.clone().map(|service| service.priority).min();
    let mut found = Vec::new();
    for service in all.filter(|service| Some(service.priority) == first) {
        let mut places = answer.beside(&service.target, service.port);
        if places.is_empty() {
            // Whoever connects looks it up.
            let host = service.target.to_ascii();
            let host = host.strip_suffix('.').unwrap_or(&host);
            places.push(Place::tcp(host, service.port));
        }
        found.extend(places.into_iter().map(|place| Found {
            weight: u32::from(service.weight.max(1)),
            ..Found::at(place)
        }));
    }
    let ttl = answer.ttl;
    if found.is_empty() {
        let why = format!("{} has no services", name.to_ascii());
        return Err(Bad::new(why, ttl));
    }
    Ok(Good { found, ttl })
}

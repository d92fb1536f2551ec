//! One fault on its stage: applications, a gateway and a bystander of its own, the baseline, the
//! fault itself, and what the bystander saw.

use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::Result;
use crate::app::App;
use crate::bystander::{Bystander, Fronts};
use crate::client::http1;
use crate::faults::{Between, Fault, Found, Neighbour, Peers};
use crate::gateway::{Gateway, Start, own_program};
use crate::keyserver::KeyServer;
use crate::nameserver::NameServer;
use crate::options::{Options, Target};
use crate::peers;
use crate::relay::Relay;
use crate::report::{Beside, Line};

/// How long the bystander is looked at before the fault, and at least beside it.
const LOOK: Duration = Duration::from_millis(1000);
/// How often a fault is done anew that only slowed the bystander down.
const ATTEMPTS: usize = 3;

/// What a fault has at hand.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) start: Start,
    pub(crate) apps: Vec<App>,
    pub(crate) relay: Option<Relay>,
    pub(crate) names: Option<NameServer>,
    pub(crate) keys: Option<KeyServer>,
    pub(crate) bystander: Option<Bystander>,
    /// Since when the bystander has been told to make no more calls.
    quiet_from: Option<Instant>,
    pub(crate) long: bool,
}

impl Scene {
    /// A number as it is meant, or one for seconds.
    pub(crate) fn count<T>(&self, whole: T, short: T) -> T {
        if self.long { whole } else { short }
    }

    pub(crate) fn app(&self) -> &App {
        &self.apps[0]
    }

    /// The bystander's last call, because nobody can call a gateway that has gone.
    pub(crate) fn quiet(&mut self) {
        if let Some(bystander) = &self.bystander {
            bystander.stop();
        }
        self.quiet_from = Some(Instant::now());
    }

    /// Another gateway before the same applications.
    pub(crate) async fn another(&self, config: &str) -> Result<Gateway> {
        let start = Start {
            config: fill(config, &self.apps, self.long),
            ..self.start.clone()
        };
        Gateway::start(&start).await
    }

    async fn set(fault: &Fault, options: &Options) -> Result<Self> {
        let apps = (0..fault.apps)
            .map(|_| App::start())
            .collect::<Result<Vec<App>>>()?;
        let relay = match (fault.between, apps.first()) {
            (Between::Relay, Some(app)) => Some(Relay::start(app.address).await?),
            _ => None,
        };
        let names = (fault.between == Between::Names).then(NameServer::start);
        let names = names.transpose()?;
        let mut config = fill(fault.config, &apps, options.long);
        if let Some(relay) = &relay {
            config = config.replace("{relay}", &relay.address.to_string());
        }
        if let (Some(names), Some(app)) = (&names, apps.first()) {
            config = config.replace("{dns}", &names.address.to_string());
            config = config.replace("{port}", &app.address.port().to_string());
        }
        let keys = match fault.between {
            Between::Keys => Some(KeyServer::start().await?),
            Between::Nothing | Between::Relay | Between::Names => None,
        };
        if let Some(keys) = &keys {
            config = config.replace("{keys}", &keys.address.to_string());
        }
        let start = Start {
            program: match options.target {
                Target::Sidegate => own_program(options.gateway.as_deref())?,
                Target::Envoy | Target::Nginx => own_program(None)?,
            },
            config,
            flags: vec!["--admin".to_owned(), "127.0.0.1:0".to_owned()],
            wrapper: fault
                .wrapper
                .iter()
                .map(|word| (*word).to_owned())
                .collect(),
            reads_stdout: fault.reads_stdout,
        };
        let gateway = match options.target {
            Target::Sidegate => Gateway::start(&start).await?,
            target => peer(target, &start, (options, &apps)).await?,
        };
        Ok(Self {
            gateway,
            start,
            apps,
            relay,
            names,
            keys,
            bystander: None,
            quiet_from: None,
            long: options.long,
        })
    }
}

/// A peer before the first application, with the schema as our own gateway has it.
async fn peer(
    target: Target,
    start: &Start,
    (options, apps): (&Options, &[App]),
) -> Result<Gateway> {
    let own = Gateway::start(start).await?;
    let descriptors = http1::get(own.admin, "/schema?format=binpb").await?.body;
    let program = match &options.gateway {
        Some(program) => program.canonicalize()?,
        None => peers::program(target)?,
    };
    let app = apps.first().ok_or("no application")?;
    // What is counted begins with the fault.
    let gateway = Gateway::peer((target, &program), app.address, &descriptors).await?;
    app.seen.forget();
    Ok(gateway)
}

/// Does a fault, again when it only slowed the bystander down: these machines are shared.
pub(crate) async fn stage(fault: &Fault, options: &Options) -> Line {
    let applies = match options.target {
        Target::Sidegate => true,
        Target::Envoy => fault.peers != Peers::None,
        Target::Nginx => fault.peers == Peers::Grpc,
    };
    if !applies {
        return Line::DoesNotApply("not tried on this gateway");
    }
    let mut times = 0;
    loop {
        times += 1;
        match attempt(fault, options).await {
            Ok(Some((found, beside))) => {
                let slow = found.good && !beside.failed() && beside.is_slow();
                if slow && times < ATTEMPTS {
                    continue;
                }
                return Line::Done {
                    good: found.good,
                    figure: found.figure,
                    beside,
                    times,
                };
            }
            Ok(None) => return Line::NotYet(fault.missing),
            Err(problem) => return Line::Broken(format!("broken: {problem}")),
        }
    }
}

async fn attempt(fault: &Fault, options: &Options) -> Result<Option<(Found, Beside)>> {
    let Some(run) = fault.run else {
        return Ok(None);
    };
    let mut scene = Scene::set(fault, options).await?;
    let fronts = match options.target {
        Target::Nginx => Fronts::GrpcOnly,
        Target::Sidegate | Target::Envoy => Fronts::Both,
    };
    let before = match fault.neighbour {
        Neighbour::Beside => {
            if options.target == Target::Sidegate {
                scene.gateway.ready().await?;
            }
            scene.bystander = Some(Bystander::start(scene.gateway.listen, fronts));
            tokio::time::sleep(LOOK / 4).await;
            let begun = Instant::now();
            tokio::time::sleep(LOOK).await;
            Some((begun, Instant::now()))
        }
        Neighbour::Nobody(_) => None,
    };
    let begun = Instant::now();
    let found = run(&mut scene).await?;
    let beside = match (before, &scene.bystander, fault.neighbour) {
        (Some((from, to)), Some(bystander), _) => {
            tokio::time::sleep(LOOK.saturating_sub(begun.elapsed())).await;
            let before = bystander.between(from, to).await;
            let end = scene.quiet_from.unwrap_or_else(Instant::now);
            let during = bystander.between(begun, end).await;
            Beside::Saw {
                before,
                during,
                waits: fault.waits,
            }
        }
        (_, _, Neighbour::Nobody(why)) => Beside::Nobody(why),
        _ => return Err("the bystander has gone".into()),
    };
    Ok(Some((found, beside)))
}

/// Writes the addresses of the applications into a configuration, and chooses of `{30s|2s}` what a
/// long run or a short one has.
fn fill(config: &str, apps: &[App], long: bool) -> String {
    let mut config = config.to_owned();
    if !config.contains("upstreams:") {
        config.push_str("\nupstreams: {app: {url: \"http://{app}\"}}\n");
    }
    for (number, app) in apps.iter().enumerate() {
        config = config.replace(&format!("{{app{number}}}"), &app.address.to_string());
    }
    if let Some(app) = apps.first() {
        config = config.replace("{app}", &app.address.to_string());
    }
    while let Some(at) = config.find('|') {
        let start = config[..at].rfind('{').unwrap_or(at);
        let end = config[at..].find('}').map_or(at, |end| at + end);
        let chosen = if long {
            &config[start + 1..at]
        } else {
            &config[at + 1..end]
        };
        config = [&config[..start], chosen, &config[end + 1..]].concat();
    }
    config
}

/// As many open files as this user may have.
pub(crate) fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        eprintln!("the limit of open files stays what it was");
    }
}

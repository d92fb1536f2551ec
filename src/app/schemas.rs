//! Where the live schema comes from: files at the start, the app by reflection whenever it can be
//! reached, compiled off the hot path and published whole.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::stack;
use crate::call::{Code, Fault};
use crate::config::{Config, Sources};
use crate::life::ready::{Condition, Held, Ready};
use crate::live::Live;
use crate::schema::builtin::pb;
use crate::schema::compile::{AutoMapping, Input, RuleFile, compile};
use crate::schema::problem::Problem;
use crate::schema::{Reflection, Schema};
use crate::source::merge::merge;
use crate::source::reflection::{self, Reflected, Version};
use crate::source::{Loaded, descriptor_set, proto_dir, service_yaml};
use crate::telemetry::Telemetry;
use crate::upstream::Upstreams;

/// How soon an app that could not be asked is asked again, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often an app that serves no reflection is asked whether it does by now.
const SLOWLY: Duration = Duration::from_secs(60);

/// The sources of one gateway and what came of them last.
#[derive(Debug)]
pub(super) struct Schemas {
    config: Arc<Config>,
    files: Files,
    live: Arc<Live<Schema>>,
    problems: Arc<Live<Vec<Problem>>>,
    telemetry: Telemetry,
}

/// What the files on disk gave, the strongest source first.
#[derive(Debug, Default)]
struct Files {
    sources: Vec<Loaded>,
    rules: Vec<RuleFile>,
    problems: Vec<Problem>,
}

/// What the app says of its own schema.
#[derive(Clone, Copy, Debug)]
enum Told<'a> {
    /// It is not asked, or has not answered yet.
    NotYet,
    /// It is there and serves no reflection.
    Nothing,
    Schema(&'a Reflected),
}

impl Files {
    /// Reads every file. Blocks.
    fn read(sources: &Sources) -> Self {
        let mut read = Self::default();
        if !sources.proto.is_empty() {
            read.sources.push(proto_dir::load(&proto_dir::Params {
                protos: sources.proto.clone(),
                includes: sources.include.clone(),
                tools: proto_dir::editions::find(std::env::var_os("PATH").as_deref()),
            }));
        }
        let sets = sources.descriptor_sets.iter();
        read.sources
            .extend(sets.map(|path| descriptor_set::load(path)));
        for path in &sources.http_rules {
            let (rules, problems) = service_yaml::load(path);
            read.rules.push(rules);
            read.problems.extend(problems);
        }
        read
    }

    /// Compiles what is here and what the app said.
    fn compile(&self, config: &Config, told: Told<'_>) -> (Schema, Vec<Problem>) {
        let alone = self.sources.iter().all(|source| source.files.is_empty());
        let reflection = match told {
            Told::Schema(reflected) if alone => match reflected.version {
                Version::V1 => Reflection::AppV1,
                Version::V1Alpha => Reflection::AppV1Alpha,
            },
            Told::NotYet if config.sources.reflection => Reflection::Pending,
            Told::NotYet | Told::Nothing | Told::Schema(_) => Reflection::Gateway,
        };
        let told = match told {
            Told::NotYet => None,
            Told::Nothing => Some(Loaded {
                problems: vec![not_served()],
                ..Loaded::default()
            }),
            Told::Schema(reflected) => Some(Loaded {
                files: reflected.files.clone(),
                problems: reflected.problems.clone(),
            }),
        };
        let merged = merge(self.sources.iter().cloned().chain(told));
        let mut problems = merged.problems;
        problems.extend(self.problems.iter().cloned());
        let (schema, found) = compile(&Input {
            files: merged.files,
            rules: self.rules.clone(),
            rules_mode: config.rules.mode,
            auto: config.rules.auto,
            conflicts: config.rules.conflicts,
            policies: config.policies.clone(),
            allow_unknown_methods: config.rules.allow_unknown_methods,
            reflection,
        });
        problems.extend(found);
        if reflection != Reflection::Pending {
            // Before the app was asked nobody knows what there is to select.
            problems.extend(config.unused_routes(&schema));
        }
        (schema, problems)
    }
}

fn not_served() -> Problem {
    let message = "the application serves no reflection, so nothing but files tells its methods";
    Problem::warning(None, message).with_help(
        "give its .proto files with --proto; a method that is not known is reached by native gRPC \
         alone",
    )
}

/// The schema of a configuration, once, for `check` and `routes`: files, and the app if it is to
/// be asked. Blocks; an app that cannot be asked is a problem.
pub fn check(config: &Config) -> (Schema, Vec<Problem>) {
    let files = Files::read(&config.sources);
    let mut unasked = None;
    let reflected = if config.sources.reflection {
        match ask_once(config) {
            Ok(reflected) => Some(reflected),
            Err(problem) => {
                unasked = Some(problem);
                None
            }
        }
    } else {
        None
    };
    let told = reflected.as_ref().map_or(Told::NotYet, Told::Schema);
    let (schema, mut problems) = files.compile(config, told);
    problems.extend(unasked);
    (schema, problems)
}

fn ask_once(config: &Config) -> Result<Reflected, Problem> {
    let failed = |why: String| {
        let message = format!("the application cannot be asked for its schema: {why}");
        Problem::error(None, message).with_help(
            "start the application, check `upstreams.app.url` and that it serves reflection, or \
             give its .proto files with --proto",
        )
    };
    let params = super::secure::upstream(config)
        .map_err(|_told| failed(String::from("its certificates cannot be verified")))?;
    let runtime = crate::life::task::local_runtime().map_err(|error| failed(error.to_string()))?;
    runtime
        .block_on(ask(&Upstreams::new(params)))
        .map_err(|fault| failed(fault.to_string()))
}

async fn ask(upstreams: &Upstreams) -> Result<Reflected, Fault> {
    reflection::fetch(
        &mut stack::direct(upstreams),
        &reflection::Params::default(),
    )
    .await
}

/// The descriptors of the services that the gateway itself answers.
pub(super) fn own() -> Arc<Schema> {
    let loaded =
        descriptor_set::read_set(&pb::DESCRIPTORS.into(), &Arc::from("built-in descriptors"));
    let (schema, _) = compile(&Input {
        files: loaded.files,
        auto: AutoMapping::Off,
        ..Input::default()
    });
    Arc::new(schema)
}

impl Schemas {
    /// Reads the files and compiles what they hold. Blocks.
    pub(super) fn load(config: &Arc<Config>, telemetry: Telemetry) -> Self {
        let files = Files::read(&config.sources);
        let (schema, problems) = files.compile(config, Told::NotYet);
        telemetry.metrics().adopt(&schema);
        // Nobody compiles them again when the app is not asked.
        let files = Some(files).filter(|_| config.sources.reflection);
        Self {
            config: Arc::clone(config),
            files: files.unwrap_or_default(),
            live: Arc::new(Live::new(schema)),
            problems: Arc::new(Live::new(problems)),
            telemetry,
        }
    }

    pub(super) fn live(&self) -> &Arc<Live<Schema>> {
        &self.live
    }

    pub(super) fn problems(&self) -> &Arc<Live<Vec<Problem>>> {
        &self.problems
    }

    /// Keeps the schema what the app says it is, for as long as the gateway runs.
    pub(super) async fn follow(self, upstreams: Upstreams, ready: Ready) {
        if !self.config.sources.reflection {
            let _held = ready.hold(Condition::Schema);
            return std::future::pending().await;
        }
        let mut held: Option<Held> = None;
        let mut connections = upstreams.connected();
        let mut last = None;
        let mut failures = Failures::default();
        loop {
            // Marked before asking: what connects meanwhile is a reason to ask again.
            let _seen = *connections.borrow_and_update();
            let again = match ask(&upstreams).await {
                Ok(reflected) => {
                    failures = Failures::default();
                    let said = Said::Schema(reflected.digest);
                    if last.replace(said) != Some(said) {
                        self.publish(Told::Schema(&reflected));
                    }
                    held.get_or_insert_with(|| ready.hold(Condition::Schema));
                    self.config.sources.reflection_interval
                }
                // The app is there: it has no more to say, and native calls can pass. What it
                // said before is kept.
                Err(fault) if fault.code() == Code::Unimplemented => {
                    match last {
                        None => {
                            last = Some(Said::Nothing);
                            self.publish(Told::Nothing);
                        }
                        Some(Said::Nothing) => {}
                        Some(Said::Schema(_)) => failures.tell(&fault),
                    }
                    held.get_or_insert_with(|| ready.hold(Condition::Schema));
                    // Some servers say so while they start, or by mistake.
                    Some(self.config.sources.reflection_interval.unwrap_or(SLOWLY))
                }
                Err(fault) => {
                    failures.tell(&fault);
                    Some(failures.pause())
                }
            };
            let waiting = async {
                match again {
                    Some(again) => sleep(again).await,
                    None => std::future::pending().await,
                }
            };
            // A new connection may lead to a new version of the app. The watch ends only with the
            // connections, which this function owns. An app that breaks every connection over
            // the question is not asked without a pause.
            tokio::select! {
                () = waiting => {}
                Ok(()) = connections.changed() => sleep(FIRST_PAUSE).await,
            }
        }
    }

    fn publish(&self, told: Told<'_>) {
        let (schema, problems) = self.files.compile(&self.config, told);
        for problem in &problems {
            tracing::warn!("{problem}");
        }
        tracing::info!(
            services = schema.files.services.len(),
            methods = schema.methods.len(),
            routes = schema.bindings.len(),
            "the application was asked for its schema"
        );
        self.telemetry.metrics().adopt(&schema);
        self.live.publish(schema);
        self.problems.publish(problems);
    }
}

/// What the app said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// That it serves no reflection.
    Nothing,
    /// A schema with this digest.
    Schema(u64),
}

/// Failures in a row: told when they change, and followed by longer and longer pauses.
#[derive(Debug, Default)]
struct Failures {
    reason: Option<&'static str>,
    pause: Option<Duration>,
}

impl Failures {
    fn tell(&mut self, fault: &Fault) {
        if self.reason.replace(fault.reason()) == Some(fault.reason()) {
            tracing::debug!(error = %fault, "the application still cannot be asked for its schema");
        } else {
            tracing::warn!(error = %fault, "the application cannot be asked for its schema");
        }
    }

    fn pause(&mut self) -> Duration {
        let pause = self.pause.unwrap_or(FIRST_PAUSE);
        self.pause = Some((pause * 2).min(LONGEST_PAUSE));
        pause
    }
}

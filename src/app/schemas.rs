//! Where the live schema comes from: files, and what the app says by reflection, compiled off the
//! hot path and published whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::stack;
use crate::call::Fault;
use crate::config::{Config, Sources};
use crate::life::ready::{Condition, Held, Ready};
use crate::live::Live;
use crate::render::Draft;
use crate::schema::builtin::pb;
use crate::schema::compile::{AutoMapping, Input, RuleFile, compile};
use crate::schema::problem::{Problem, Severity};
use crate::schema::{Reflection, Schema};
use crate::source::merge::merge;
use crate::source::reflection::{self, Reflected, Version};
use crate::source::{Loaded, descriptor_set, proto_dir, service_yaml};
use crate::telemetry::Telemetry;
use crate::upstream::Upstreams;

/// The sources of one gateway and what came of them last.
#[derive(Debug)]
pub(super) struct Schemas {
    config: Arc<Config>,
    files: Files,
    told: Told,
    /// The files that were read, to be watched.
    paths: Vec<PathBuf>,
    live: Arc<Live<Schema>>,
    problems: Arc<Live<Vec<Problem>>>,
    telemetry: Telemetry,
    /// There is a schema, as good as it gets.
    held: Option<Held>,
}

/// What the files of another configuration came to; nobody serves it yet.
#[derive(Debug)]
pub(super) struct Next {
    config: Arc<Config>,
    files: Files,
    schema: Schema,
    problems: Vec<Problem>,
}

/// What the files on disk gave, the strongest source first.
#[derive(Debug, Default)]
struct Files {
    sources: Vec<Loaded>,
    rules: Vec<RuleFile>,
    problems: Vec<Problem>,
}

/// What the app says of its own schema.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// It is not asked, or has not answered yet.
    NotYet,
    /// It is there and serves no reflection.
    Nothing,
    /// It described itself.
    Schema(Reflected),
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

    /// The files on disk that gave something.
    fn paths(&self) -> Vec<PathBuf> {
        let files = self.sources.iter().flat_map(|source| &source.files);
        let on_disk = files.map(|file| Path::new(&*file.origin));
        let mut paths: Vec<PathBuf> = on_disk
            .filter(|path| path.exists())
            .map(Path::to_owned)
            .collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// What is needed later: nobody compiles files again when the app is not asked.
    fn kept_for(self, config: &Config) -> Self {
        Some(self)
            .filter(|_| config.sources.reflection)
            .unwrap_or_default()
    }

    /// Compiles what is here and what the app said.
    fn compile(&self, config: &Config, told: &Told) -> (Schema, Vec<Problem>) {
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
    let told = reflected.map_or(Told::NotYet, Told::Schema);
    let (schema, mut problems) = files.compile(config, &told);
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
    let params = super::secure::upstream(config, &config.upstream)
        .map_err(|_told| failed(String::from("its certificates cannot be verified")))?;
    let runtime = crate::life::task::local_runtime().map_err(|error| failed(error.to_string()))?;
    runtime
        .block_on(ask(&Upstreams::new(params)))
        .map_err(|fault| failed(fault.to_string()))
}

pub(super) async fn ask(upstreams: &Upstreams) -> Result<Reflected, Fault> {
    reflection::fetch(
        &mut stack::direct(upstreams),
        &reflection::Params::default(),
    )
    .await
}

/// Keeps what the app said for the next start. Blocks.
fn remember(config: &Config, reflected: &Reflected) {
    let Some(file) = &config.sources.cache else {
        return;
    };
    let kept = Draft::new(file, &reflection::remember(reflected)).and_then(Draft::publish);
    if let Err(error) = kept {
        let file = file.display();
        tracing::warn!(%file, %error, "the schema cannot be kept for the next start");
    }
}

/// What the app said in an earlier run, if it is to be asked and that was kept. Blocks.
fn recalled(config: &Config) -> Option<Reflected> {
    let file = config.sources.cache.as_ref();
    let file = file.filter(|_| config.sources.reflection)?;
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "the schema that was kept cannot be read");
            return None;
        }
    };
    let origin = reflection::Params::default().origin;
    match reflection::recall(&bytes.into(), &origin) {
        Ok(reflected) => {
            let files = reflected.files.len();
            tracing::info!(
                files,
                "until the application is asked, its schema is what it said before"
            );
            Some(reflected)
        }
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "what was kept is no schema");
            None
        }
    }
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
        let paths = files.paths();
        let told = recalled(config).map_or(Told::NotYet, Told::Schema);
        let (schema, problems) = files.compile(config, &told);
        telemetry.metrics().adopt(&schema);
        Self {
            config: Arc::clone(config),
            files: files.kept_for(config),
            told,
            paths,
            live: Arc::new(Live::new(schema)),
            problems: Arc::new(Live::new(problems)),
            telemetry,
            held: None,
        }
    }

    pub(super) fn live(&self) -> &Arc<Live<Schema>> {
        &self.live
    }

    pub(super) fn problems(&self) -> &Arc<Live<Vec<Problem>>> {
        &self.problems
    }

    /// The files that were read.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Says that there is a schema; the app may know more, but it was asked, or nobody asks it.
    pub(super) fn hold(&mut self, ready: &Ready) {
        self.held
            .get_or_insert_with(|| ready.hold(Condition::Schema));
    }

    /// Makes the schema of another configuration, or tells all that is wrong with it. Errors that
    /// are known of what is served now are no reason to refuse everything else. Blocks.
    pub(super) fn prepare(&self, config: &Arc<Config>) -> Result<Next, Vec<Problem>> {
        let files = Files::read(&config.sources);
        let told = if config.sources.reflection {
            &self.told
        } else {
            &Told::NotYet
        };
        let (schema, problems) = files.compile(config, told);
        let known = self.problems.load();
        let is_new = |problem: &Problem| {
            problem.severity == Severity::Error && !known.iter().any(|one| one == problem)
        };
        if problems.iter().any(is_new) {
            return Err(problems);
        }
        Ok(Next {
            config: Arc::clone(config),
            files,
            schema,
            problems,
        })
    }

    /// Publishes what was prepared, unless the app has to be asked first: then what is served
    /// stays until it has answered. What was served before, if it is another one now.
    pub(super) fn adopt(&mut self, next: Next) -> Option<(Arc<Schema>, Vec<Problem>)> {
        self.paths = next.files.paths();
        self.files = next.files.kept_for(&next.config);
        self.config = next.config;
        if next.schema.reflection == Reflection::Pending && self.held.is_some() {
            return None;
        }
        let before = self.live.load();
        let same = before.digest == next.schema.digest
            && before.reflection == next.schema.reflection
            && before.allow_unknown_methods == next.schema.allow_unknown_methods;
        let new: Vec<Problem> = {
            let known = self.problems.load();
            let new = next.problems.iter().filter(|one| !known.contains(one));
            new.cloned().collect()
        };
        if !same {
            self.telemetry.metrics().adopt(&next.schema);
            self.live.publish(next.schema);
        }
        self.problems.publish(next.problems);
        Some((before, new)).filter(|(_, new)| !same || !new.is_empty())
    }

    /// The app has described itself, as before or anew. Blocks.
    pub(super) fn hear_schema(&mut self, reflected: Reflected, ready: &Ready) {
        let known = match &self.told {
            // What is remembered of an earlier run has no problems.
            Told::Schema(known) => {
                known.digest == reflected.digest && known.problems == reflected.problems
            }
            Told::NotYet | Told::Nothing => false,
        };
        remember(&self.config, &reflected);
        if !known {
            self.hear(Told::Schema(reflected));
        }
        self.hold(ready);
    }

    /// The app serves no reflection; `false` when it did before, and what it said then is kept.
    pub(super) fn hear_nothing(&mut self, ready: &Ready) -> bool {
        if matches!(self.told, Told::NotYet) {
            self.hear(Told::Nothing);
        }
        self.hold(ready);
        matches!(self.told, Told::Nothing)
    }

    /// Publishes what the files and the app say together, now that it has spoken. Blocks.
    fn hear(&mut self, told: Told) {
        self.told = told;
        let (schema, problems) = self.files.compile(&self.config, &self.told);
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

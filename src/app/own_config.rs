//! The application's own configuration: written before anything is served, and again whenever its
//! values change; whoever asked for it is told by a signal.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::StartError;
use super::reload::{Part, Prepared};
use crate::config::{AppConfig, Config};
use crate::life::child::Handle;
use crate::live::Live;
use crate::render::{self, Draft, Rendered};
use crate::schema::problem::{Location, Problem};

/// The application that is signalled: there is one once `sidegate run` has started it.
pub type Application = Arc<OnceLock<Handle>>;

/// What the application has been told.
#[derive(Clone, Debug)]
pub(super) struct OwnConfig {
    values: Arc<Live<Value>>,
    shown: Arc<Live<Option<Value>>>,
    application: Application,
}

/// What is wrong with the application's own configuration, for `check`. Blocks.
pub fn check(config: &Config) -> Vec<Problem> {
    made(&config.app_config).err().unwrap_or_default()
}

/// What there is to tell, if anything is.
fn made(config: &AppConfig) -> Result<Rendered, Vec<Problem>> {
    if config.params.values.is_empty() {
        return Ok(Rendered::default());
    }
    render::render(&config.params)
}

impl OwnConfig {
    /// Writes what the application is to begin with. Blocks.
    pub(super) fn start(config: &Config) -> Result<Self, StartError> {
        let own = Self {
            values: Arc::new(Live::new(Value::Null)),
            shown: Arc::new(Live::new(None)),
            application: Application::default(),
        };
        let prepared = own.prepare(&config.app_config);
        let prepared = prepared.map_err(StartError::AppConfig)?;
        (prepared.commit)();
        Ok(own)
    }

    /// Who is signalled.
    pub(super) fn application(&self) -> &Application {
        &self.application
    }

    /// What is served, if it is.
    pub(super) fn shown(&self) -> Arc<Live<Option<Value>>> {
        Arc::clone(&self.shown)
    }

    /// What has to be done when files change.
    pub(super) fn part(&self) -> Part {
        let own = self.clone();
        Part {
            name: "the application's configuration",
            paths: Box::new(|config| config.app_config.params.sources()),
            prepare: Box::new(move |_before, after| own.prepare(&after.app_config)),
        }
    }

    fn prepare(&self, config: &AppConfig) -> Result<Prepared, Vec<Problem>> {
        let made = made(config)?;
        let file = config.params.file.as_deref();
        let file = file.filter(|_| !config.params.values.is_empty());
        let draft = file.map(|file| {
            Draft::new(file, made.text.as_bytes()).map_err(|error| {
                let place = Location::file(&*file.to_string_lossy());
                let message = format!("the application's configuration cannot be written: {error}");
                vec![Problem::error(place, message)]
            })
        });
        let draft = draft.transpose()?;
        let is_new =
            draft.as_ref().is_some_and(Draft::is_new) || *self.values.load() != made.values;
        let (own, signal) = (self.clone(), config.signal.filter(|_| is_new));
        let shown = config.serve.then(|| made.values.clone());
        let commit = move || {
            if let Some(Err(error)) = draft.map(Draft::publish) {
                tracing::error!(%error, "the application's configuration could not be put in place");
            }
            own.values.publish(made.values);
            own.shown.publish(shown);
            if let (Some(signal), Some(application)) = (signal, own.application.get()) {
                application.signal(signal);
            }
        };
        let changes = is_new.then(|| String::from("the application's configuration"));
        Ok(Prepared {
            changes: changes.into_iter().collect(),
            ..Prepared::silent(commit)
        })
    }
}

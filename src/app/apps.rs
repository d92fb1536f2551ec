//! The watch over the applications, one for each upstream, and what becomes of their connections when
//! settings change.
//!
//! Readiness, the schema and health are those of the application that calls go to which nothing
//! sends elsewhere. The other ones are only kept connected: a canary that is not there takes nobody
//! out of service.

use std::cell::RefCell;
use std::rc::Rc;

use super::follow::follow;
use super::schemas::{self, Schemas};
use super::{health, secure};
use crate::config::Config;
use crate::life::ready::{Condition, Held, Ready};
use crate::life::task::{self, Task};
use crate::schema::problem::Problem;
use crate::upstream::Upstreams;

/// The watch over one application.
pub(super) struct App {
    upstreams: Upstreams,
    watch: Task<()>,
    /// There is one if the app is asked for its schema.
    _follow: Option<Task<()>>,
    _health: Health,
}

/// What readiness has from the health of the app.
enum Health {
    /// The app is asked.
    Followed { _task: Task<()> },
    /// Nobody asks.
    Assumed { _held: Held },
}

/// The watch over the other upstreams.
#[derive(Default)]
pub(super) struct Others(Vec<(Upstreams, Task<()>)>);

impl App {
    /// Begins to watch over it.
    pub(super) fn start(config: &Config, schemas: &Rc<RefCell<Schemas>>, ready: &Ready) -> Self {
        let upstreams = Upstreams::new(config.upstream.clone());
        let watch = upstreams.keep_connected(ready.clone());
        let health = if config.app_health {
            let asking = health::follow(upstreams.clone(), schemas::own(), ready.clone());
            let _task = task::spawn_local("health of the app", asking);
            Health::Followed { _task }
        } else {
            let _held = ready.hold(Condition::Health);
            Health::Assumed { _held }
        };
        let mut app = Self {
            upstreams,
            watch,
            _follow: None,
            _health: health,
        };
        app.ask(config, schemas, ready);
        app
    }

    /// The watch alone: nothing more is asked.
    pub(super) fn into_watch(self) -> Task<()> {
        self.watch
    }

    /// Begins, or no longer goes on, to ask what it serves.
    pub(super) fn ask(&mut self, config: &Config, schemas: &Rc<RefCell<Schemas>>, ready: &Ready) {
        if !config.sources.reflection {
            schemas.borrow_mut().hold(ready);
            self._follow = None;
            return;
        }
        let following = follow(
            Rc::clone(schemas),
            self.upstreams.clone(),
            config.sources.reflection_interval,
            ready.clone(),
        );
        self._follow = Some(task::spawn_local("schema", following));
    }
}

impl Others {
    /// Watches over those of a configuration, and no longer over others.
    pub(super) fn follow(&mut self, config: &Config) {
        let mut before = std::mem::take(&mut self.0);
        for params in &config.more_upstreams {
            let known = before.iter().position(|(one, _)| one.are_of(params));
            self.0.push(known.map_or_else(
                || {
                    let upstreams = Upstreams::new(params.clone());
                    // Nobody waits for them.
                    let watch = upstreams.keep_connected(Ready::new());
                    (upstreams, watch)
                },
                |at| before.swap_remove(at),
            ));
        }
    }
}

/// What upstreams are connected to with: those of which nothing is said anew keep their connections
/// and all that is known of them.
pub(super) fn keep(
    config: &mut Config,
    current: &Config,
    settings: &[String],
) -> Result<(), Vec<Problem>> {
    let mut made = Vec::new();
    let mut problems = Vec::new();
    for params in config.upstreams() {
        let own = format!("upstreams.{}.", params.name);
        let is_other = |key: &String| key.starts_with(&own) || key.starts_with("lifecycle");
        let before = current.upstreams().find(|one| one.name == params.name);
        match before.filter(|_| !settings.iter().any(is_other)) {
            Some(before) => made.push(before.clone()),
            None => match secure::upstream(config, params) {
                Ok(params) => made.push(params),
                Err(found) => problems.extend(found),
            },
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for (own, made) in config.upstreams_mut().zip(made) {
        *own = made;
    }
    Ok(())
}

//! What the admin port shows of the configuration, and of what became of it.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use super::discovery::Sources;
use super::reload::History;
use crate::admin::explain::Setting;
use crate::admin::views::UpstreamView;
use crate::admin::{self, explain};
use crate::config::{Config, InEffect};
use crate::schema::split::Split;
use crate::schema::{Method, Schema};
use crate::upstream::Params;

/// A configuration that is in effect.
pub(super) struct Facts {
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) history: History,
    pub(super) sources: Sources,
}

impl Facts {
    fn current(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }
}

impl admin::Facts for Facts {
    fn config(&self) -> serde_json::Value {
        let mut view = self.current().view();
        if let Some(view) = view.as_object_mut() {
            view.insert("needs_restart".to_owned(), json!(self.history.waiting()));
        }
        view
    }

    fn settings(&self, method: &Method) -> Vec<Setting> {
        settings(&self.current(), method)
    }

    fn upstreams(&self) -> Vec<UpstreamView> {
        let config = self.current();
        let view = |params: &Params| {
            let url = place(&config, params);
            let view = UpstreamView::new(&params.name, url, params.states.seen());
            let view = view.with_discovery(self.sources.view(&params.name));
            view.with_endpoints(&params.endpoints.load())
        };
        config.upstreams().map(view).collect()
    }

    fn splits(&self) -> Vec<Arc<Split>> {
        self.current().splits.clone()
    }

    fn fallback(&self) -> Option<String> {
        fallback(&self.current())
    }
}

/// Where an upstream is, or who knows it.
pub(super) fn place(config: &Config, params: &Params) -> String {
    let source = config.discovery.source(&params.name);
    source.map_or_else(|| params.target.to_string(), ToString::to_string)
}

fn fallback(config: &Config) -> Option<String> {
    let fallback = config.fallback.as_ref()?;
    Some(fallback.target.to_string())
}

fn settings(config: &Config, method: &Method) -> Vec<Setting> {
    let unary = method.kind == crate::schema::StreamKind::Unary;
    let all = config.in_effect(&method.service, &method.name, !unary);
    let shown = |one: InEffect| Setting {
        key: one.key,
        value: one.value,
        source: one.source,
        at: one.at,
    };
    all.into_iter().map(shown).collect()
}

/// Says what would become of a request with this configuration and schema.
pub fn explain(config: &Config, schema: &Schema, asked: &explain::Asked) -> explain::Explanation {
    let own = super::schemas::own();
    let fallback = fallback(config);
    let world = explain::World {
        schema,
        own: &own,
        upstream: &|name| {
            let mut all = config.upstreams();
            let found = all.find(|one| name.is_none_or(|name| *one.name == *name));
            found.map_or_else(String::new, |one| place(config, one))
        },
        fallback: fallback.as_deref(),
        settings: &|method| settings(config, method),
    };
    let now = tokio::time::Instant::now().into_std();
    explain::explain(&world, asked, now)
}

//! [`Table`]: the series of one schema, by the schema's own indices.
//!
//! A finished call finds its series by two index look-ups and no string. A reload makes a new
//! table; series whose names stay go on counting where they were, the others are forgotten, so
//! that the number of series is bounded by the schema and never by what clients send (R10).

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::series::{MethodSeries, RouteSeries, Sharded};
use crate::schema::{BindingId, MethodId, Schema};

/// The name of everything that the schema does not know.
const OTHER: &str = "other";

/// HTTP methods that get series of their own when no route was found; then one for all others.
const HTTP_METHODS: [&str; 10] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "_OTHER",
];

/// All series of one schema.
#[derive(Debug)]
pub struct Table {
    /// The schema's digest; `None` before there is one.
    digest: Option<u64>,
    methods: Vec<Arc<MethodSeries>>,
    /// By binding; bindings that look the same in metrics share a series.
    bindings: Vec<Arc<RouteSeries>>,
    /// The series in `bindings`, each once.
    routes: Vec<Arc<RouteSeries>>,
    other_method: Arc<MethodSeries>,
    other_routes: [Arc<RouteSeries>; HTTP_METHODS.len()],
    /// The table before this one, for the calls that are still pinned to its schema.
    before: Option<Arc<Self>>,
}

impl Table {
    /// The table before there is a schema.
    pub fn empty(shards: usize) -> Self {
        Self {
            digest: None,
            methods: Vec::new(),
            bindings: Vec::new(),
            routes: Vec::new(),
            other_method: Arc::new(MethodSeries {
                rpc: OTHER.into(),
                cells: Sharded::new(shards),
            }),
            other_routes: HTTP_METHODS
                .map(|http_method| Arc::new(RouteSeries::new(http_method, OTHER.into(), shards))),
            before: None,
        }
    }

    /// The table of `schema`, which takes the place of `before`.
    pub fn after(before: &Arc<Self>, schema: &Schema, shards: usize) -> Self {
        let old: FxHashMap<&str, &Arc<MethodSeries>> = before
            .methods
            .iter()
            .map(|series| (&*series.rpc, series))
            .collect();
        let methods = schema.methods.iter().map(|method| {
            let rpc = method.path.strip_prefix('/').unwrap_or(&method.path);
            old.get(rpc).map_or_else(
                || {
                    Arc::new(MethodSeries {
                        rpc: rpc.into(),
                        cells: Sharded::new(shards),
                    })
                },
                |series| Arc::clone(series),
            )
        });
        let mut table = Self {
            digest: Some(schema.digest),
            methods: methods.collect(),
            bindings: Vec::with_capacity(schema.bindings.len()),
            routes: Vec::new(),
            other_method: Arc::clone(&before.other_method),
            other_routes: before.other_routes.clone(),
            before: None,
        };
        table.add_routes(before, schema, shards);
        // One step back is enough: what outlives two reloads counts as other.
        table.before = Some(Arc::new(before.without_history()));
        table
    }

    fn add_routes(&mut self, before: &Self, schema: &Schema, shards: usize) {
        let mut old: FxHashMap<(String, String), Arc<RouteSeries>> = before
            .routes
            .iter()
            .map(|series| (series.key(), Arc::clone(series)))
            .collect();
        let mut new: FxHashMap<(String, String), Arc<RouteSeries>> = FxHashMap::default();
        for binding in &schema.bindings {
            let http_method = String::from(known_http_method(&binding.http_method));
            let key = (http_method, binding.template.to_string());
            let series = new.entry(key).or_insert_with_key(|key| {
                let series = old.remove(key).unwrap_or_else(|| {
                    Arc::new(RouteSeries::new(&key.0, key.1.as_str().into(), shards))
                });
                self.routes.push(Arc::clone(&series));
                series
            });
            self.bindings.push(Arc::clone(series));
        }
    }

    fn without_history(&self) -> Self {
        Self {
            digest: self.digest,
            methods: self.methods.clone(),
            bindings: self.bindings.clone(),
            routes: Vec::new(),
            other_method: Arc::clone(&self.other_method),
            other_routes: self.other_routes.clone(),
            before: None,
        }
    }

    /// The table that fits the schema of a call, if it is this one or the one before.
    fn of(&self, schema: Option<&Schema>) -> Option<&Self> {
        let digest = Some(schema?.digest);
        if self.digest == digest {
            return Some(self);
        }
        self.before
            .as_deref()
            .filter(|before| before.digest == digest)
    }

    /// The series of a method, or the one of everything that is not known.
    pub fn method(&self, schema: Option<&Schema>, id: Option<MethodId>) -> &MethodSeries {
        id.and_then(|id| self.of(schema)?.methods.get(id.0 as usize))
            .unwrap_or(&self.other_method)
    }

    /// The series of a binding.
    pub fn route(&self, schema: Option<&Schema>, id: BindingId) -> Option<&RouteSeries> {
        self.of(schema)?
            .bindings
            .get(id.0 as usize)
            .map(|series| &**series)
    }

    /// The series of requests that led nowhere.
    pub fn no_route(&self, http_method: &str) -> &RouteSeries {
        let at = HTTP_METHODS
            .iter()
            .position(|known| *known == http_method)
            .unwrap_or(HTTP_METHODS.len() - 1);
        let [.., rest] = &self.other_routes;
        self.other_routes.get(at).unwrap_or(rest)
    }

    /// Every method's series, then the one of everything else.
    pub fn methods(&self) -> impl Iterator<Item = &MethodSeries> {
        let known = self.methods.iter().map(|series| &**series);
        known.chain([&*self.other_method])
    }

    /// Every route's series, then those of requests that led nowhere.
    pub fn routes(&self) -> impl Iterator<Item = &RouteSeries> {
        self.routes
            .iter()
            .chain(&self.other_routes)
            .map(|series| &**series)
    }
}

impl RouteSeries {
    fn new(http_method: &str, template: Box<str>, shards: usize) -> Self {
        Self {
            http_method: http_method.into(),
            template,
            cells: Sharded::new(shards),
        }
    }

    fn key(&self) -> (String, String) {
        (
            String::from(&*self.http_method),
            String::from(&*self.template),
        )
    }
}

/// Rules may have any HTTP method; those of a schema are few, so they are shown as they are.
fn known_http_method(http_method: &str) -> &str {
    if http_method == "*" {
        "_OTHER"
    } else {
        http_method
    }
}

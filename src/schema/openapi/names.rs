//! What services and operations are called (D2): by their own names, as short as the whole schema
//! leaves no doubt.

use rustc_hash::FxHashMap;

use super::json::Object;
use super::notes::Notes;
use crate::schema::binding::Binding;
use crate::schema::{MethodId, Schema};

/// The names of a schema's services.
#[derive(Debug)]
pub(super) struct Names {
    /// By full name.
    services: FxHashMap<String, String>,
}

impl Names {
    pub(super) fn of(schema: &Schema) -> Self {
        let short = |full: &str| full.rsplit('.').next().unwrap_or(full).to_owned();
        let mut count: FxHashMap<String, usize> = FxHashMap::default();
        let mut all: Vec<&str> = schema
            .methods
            .iter()
            .map(|method| &*method.service)
            .collect();
        all.dedup();
        for service in &all {
            *count.entry(short(service)).or_default() += 1;
        }
        let named = all.into_iter().map(|full| {
            let short = short(full);
            let name = match count.get(&short) {
                Some(1) => short,
                _ => full.to_owned(),
            };
            (full.to_owned(), name)
        });
        Self {
            services: named.collect(),
        }
    }

    /// The tag of a service.
    pub(super) fn service<'n>(&'n self, full_name: &'n str) -> &'n str {
        self.services.get(full_name).map_or(full_name, |name| name)
    }

    /// All bindings, each with the id of its operation: that of a method's first binding is the
    /// method's, the others have their number behind it.
    pub(super) fn operations<'s>(&self, schema: &'s Schema) -> Vec<(&'s Binding, String)> {
        let mut seen: FxHashMap<MethodId, usize> = FxHashMap::default();
        let bindings = schema.bindings.iter();
        bindings
            .map(|binding| {
                let method = schema.method(binding.method);
                let service = self.service(&method.service).replace('.', "_");
                let number = seen.entry(binding.method).or_default();
                *number += 1;
                let id = match number {
                    1 => format!("{service}_{}", method.name),
                    number => format!("{service}_{}_{number}", method.name),
                };
                (binding, id)
            })
            .collect()
    }

    /// The tags of the services that have a route, with their comments.
    pub(super) fn tags(&self, schema: &Schema, notes: &mut Notes<'_>) -> Vec<Object> {
        let bindings = schema.bindings.iter();
        let mut services: Vec<&str> = bindings
            .map(|binding| &*schema.method(binding.method).service)
            .collect();
        services.sort_unstable();
        services.dedup();
        let tag = |full: &str| {
            let comment = notes.of(full).comment;
            Object::new()
                .with("name", self.service(full))
                .maybe("description", Some(comment).filter(|text| !text.is_empty()))
        };
        services.into_iter().map(tag).collect()
    }
}

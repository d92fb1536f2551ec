//! The OpenAPI 3.1 description of exactly the routes that a schema serves (D1): [`Schema::openapi`].
//!
//! It is made from the schema alone, when somebody asks for it first, and kept with the schema; a
//! schema that nobody asks costs nothing. Everything in it is ordered by names, and all names come
//! from those of the descriptors, so that they are the same in every run (D2).
//!
//! What a client should send is described, not all that is understood: 64-bit integers as texts,
//! enums by name, one name for a field.

mod beyond;
mod comment;
mod errors;
mod form;
mod json;
mod names;
mod notes;
mod operation;
mod path;
mod query;
mod scalar;
#[cfg(test)]
mod tests;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use bytes::Bytes;

use super::binding::Binding;
use super::policy::ErrorShape;
use super::{RouteTarget, Schema};
use crate::wire::compress::{Encoding, compress};
use json::{Json, Object};
use names::Names;
use operation::{Subject, operation};
use path::Path;
use types::Types;

/// The description of a schema, once somebody asked for it.
#[derive(Debug, Default)]
pub struct Described(OnceLock<OpenApi>);

/// A description, ready to be sent.
#[derive(Debug)]
pub struct OpenApi {
    /// JSON, in one line.
    pub json: Bytes,
    /// The same as gzip has it.
    pub gzip: Bytes,
    /// An entity tag, in its quotes; changes when the schema does.
    pub etag: String,
}

/// The methods that a path of OpenAPI can have.
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

impl Schema {
    /// The description, made when it is first asked for.
    pub fn openapi(&self) -> &OpenApi {
        self.described.0.get_or_init(|| {
            let json = Bytes::from(document(self).compact());
            OpenApi {
                gzip: compress(Encoding::Gzip, &json),
                json,
                etag: format!("\"{:016x}\"", self.digest),
            }
        })
    }

    /// The description as JSON for people.
    pub fn openapi_json(&self) -> String {
        document(self).pretty()
    }

    /// The description as YAML.
    pub fn openapi_yaml(&self) -> String {
        document(self).yaml()
    }
}

/// A binding that is served, with its path.
struct Route<'s> {
    binding: &'s Binding,
    path: Path,
    id: String,
}

fn document(schema: &Schema) -> Json {
    let names = Names::of(schema);
    let mut types = Types::new(schema);
    let mut routes: BTreeMap<String, Vec<Route<'_>>> = BTreeMap::new();
    for (binding, id) in names.operations(schema) {
        if is_served(schema, binding) {
            let path = Path::of(&binding.template);
            let shape = path.shape.clone();
            routes
                .entry(shape)
                .or_default()
                .push(Route { binding, path, id });
        }
    }
    let served: Vec<&Binding> = routes
        .values()
        .flatten()
        .map(|route| route.binding)
        .collect();
    let guide = beyond::guide(schema, &served);
    let has_messages = served.iter().any(|binding| !binding.raw_response);
    let mut paths = Object::new();
    for mut alike in routes.into_values() {
        alike.sort_by(|one, other| {
            one.binding
                .template
                .as_str()
                .cmp(other.binding.template.as_str())
        });
        let Some(first) = alike.first() else { continue };
        let parameters = first.path.names();
        let written = first.path.written(&parameters);
        let item = path_item(&mut types, &names, &alike, &parameters);
        paths.put(written, item);
    }
    let tags = names.tags(schema, &mut types.notes);
    let shapes = error_shapes(schema);
    let info = info(schema).maybe("description", guide);
    Object::new()
        .with("openapi", "3.1.0")
        .with("info", info)
        .with("servers", vec![Object::new().with("url", "/")])
        .with("security", Vec::<Json>::new())
        .with("tags", tags)
        .with("paths", paths)
        .with("components", components(types, &shapes, has_messages))
        .into()
}

fn is_served(schema: &Schema, binding: &Binding) -> bool {
    let target = schema.routes.get(&binding.http_method, &binding.template);
    matches!(target, Some(RouteTarget::Serve(id)) if std::ptr::eq(schema.binding(*id), binding))
}

/// The operations of one path. Methods that OpenAPI has no place for stand in an extension.
fn path_item(
    types: &mut Types<'_>,
    names: &Names,
    alike: &[Route<'_>],
    parameters: &[String],
) -> Object {
    let mut known: BTreeMap<usize, Object> = BTreeMap::new();
    let mut others = Object::new();
    // Exact methods come before `*` (R3).
    let (every, exact): (Vec<_>, Vec<_>) = alike
        .iter()
        .partition(|route| &*route.binding.http_method == "*");
    for route in exact {
        let method = types.schema.method(route.binding.method);
        let subject = Subject {
            binding: route.binding,
            method,
            path: &route.path,
            names: parameters,
            id: &route.id,
            tag: names.service(&method.service),
        };
        let written = operation(types, subject);
        let http_method = &*route.binding.http_method;
        // Methods are compared as they are written: `get` is none of HTTP's.
        let place = METHODS
            .iter()
            .position(|known| known.to_ascii_uppercase() == http_method);
        match place {
            Some(place) => drop(known.entry(place).or_insert(written)),
            None => others.put(http_method.to_owned(), written),
        }
    }
    for route in every {
        let method = types.schema.method(route.binding.method);
        for (place, http_method) in METHODS.iter().enumerate() {
            if known.contains_key(&place) {
                continue;
            }
            let subject = Subject {
                binding: route.binding,
                method,
                path: &route.path,
                names: parameters,
                id: &format!("{}_{http_method}", route.id),
                tag: names.service(&method.service),
            };
            known.insert(place, operation(types, subject));
        }
    }
    // Bytes have no fields.
    let has_messages = alike.iter().any(|route| !route.binding.raw_response);
    let mut item = Object::new().maybe("parameters", has_messages.then(beyond::references));
    for (place, written) in known {
        if let Some(http_method) = METHODS.get(place) {
            item.put(*http_method, written);
        }
    }
    item.maybe(
        "x-additional-operations",
        Some(others).filter(|others| !others.is_empty()),
    )
}

/// The shapes that errors have on any route, by the names of their schemas.
fn error_shapes(schema: &Schema) -> BTreeMap<&'static str, ErrorShape> {
    let methods = schema.methods.iter();
    let shapes = methods.map(|method| method.policy.rest.errors);
    shapes.map(|shape| (errors::name(shape), shape)).collect()
}

fn components(
    types: Types<'_>,
    shapes: &BTreeMap<&'static str, ErrorShape>,
    has_messages: bool,
) -> Object {
    let mut schemas = types.finish();
    let mut responses = Object::new();
    for (name, shape) in shapes {
        if let Some(schema) = errors::schema(*shape) {
            schemas.put(*name, schema);
        }
        responses.put(*name, errors::response(*shape));
    }
    Object::new()
        .maybe("schemas", Some(schemas).filter(|all| !all.is_empty()))
        .maybe("responses", Some(responses).filter(|all| !all.is_empty()))
        .maybe("parameters", has_messages.then(beyond::parameters))
}

/// The services and their version, as far as their names tell it.
fn info(schema: &Schema) -> Object {
    let services: BTreeSet<&str> = schema
        .methods
        .iter()
        .map(|method| &*method.service)
        .collect();
    let short = |service: &str| service.rsplit('.').next().unwrap_or(service).to_owned();
    let title = match services.len() {
        0 => "Nothing yet".to_owned(),
        1..=3 => services
            .iter()
            .map(|service| short(service))
            .collect::<Vec<_>>()
            .join(", "),
        many => format!("{many} services"),
    };
    let versions: BTreeSet<&str> = services
        .iter()
        .filter_map(|service| service.rsplit('.').skip(1).find(|part| is_version(part)))
        .collect();
    let mut versions = versions.into_iter();
    let version = versions.next().filter(|_| versions.next().is_none());
    Object::new()
        .with("title", title)
        .with("version", version.unwrap_or("1"))
}

/// `v1`, `v2beta1` and so on.
fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()))
}

//! Which rules hold for which method (R9): annotations, service YAML on top of them, and
//! `rest.auto` for what has neither.

use super::binding::Origin;
use super::compile::{AutoMapping, Input, RulesMode};
use super::descriptor::HttpRule;
use super::header_binding;
use super::http_rule::{self, Subject};
use super::method::{Said, Stated};
use super::plan::Tables;
use super::problem::{Location, Problem};
use super::routing::Routing;
use super::selector::Selectors;
use super::{Method, MethodId};

/// A rule and the method it holds for.
struct Held<'a> {
    /// Kind of source first, then the place within it: the order in which rules were declared.
    order: (Stage, usize),
    id: MethodId,
    rule: Rule<'a>,
    place: &'a Location,
}

/// Where rules come from; those of a later stage are declared later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Annotation,
    Yaml,
    Auto,
}

enum Rule<'a> {
    Stated(&'a HttpRule),
    Auto,
}

/// Binds every rule of every method and builds the route table.
pub(super) fn route(
    input: &Input,
    tables: &Tables,
    stated: Vec<Stated>,
    problems: &mut Vec<Problem>,
) -> (Vec<Method>, Routing) {
    let (methods, said): (Vec<Method>, Vec<Said>) = stated
        .into_iter()
        .map(|stated| (stated.method, stated.said))
        .unzip();
    let full_names: Vec<String> = methods.iter().map(Method::full_name).collect();
    let mut selectors = Selectors::new(&input.rules, problems);
    let mut held = Vec::with_capacity(methods.len());
    let ids = (0..).map(MethodId);
    for ((id, said), full_name) in ids.zip(&said).zip(&full_names) {
        let yaml = selectors.select(full_name);
        hold(input, (id, full_name), said, yaml, &mut held);
    }
    selectors.report_unmatched(&full_names, problems);
    // Stable: one YAML rule may hold for several methods, which stay in their order.
    held.sort_by_key(|held| held.order);
    let mut routing = Routing::new(input.conflicts);
    for held in held {
        add(&held, tables, &methods, &mut routing, problems);
    }
    routing.report(&methods, problems);
    header_binding::report(tables, &methods, problems);
    (methods, routing)
}

/// The rules that hold for one method.
fn hold<'a>(
    input: &Input,
    (id, full_name): (MethodId, &str),
    said: &'a Said,
    yaml: Option<(usize, &'a (HttpRule, Location))>,
    held: &mut Vec<Held<'a>>,
) {
    let annotation = said
        .annotation
        .as_ref()
        .filter(|_| yaml.is_none() || input.rules_mode == RulesMode::Add);
    let wants_auto = match input.auto {
        AutoMapping::Off => false,
        AutoMapping::Always => true,
        AutoMapping::Unannotated => annotation.is_none() && yaml.is_none(),
    };
    held.extend(annotation.map(|(rule, place)| Held {
        order: (Stage::Annotation, said.order),
        id,
        rule: Rule::Stated(rule),
        place,
    }));
    held.extend(yaml.map(|(index, (rule, place))| Held {
        order: (Stage::Yaml, index),
        id,
        rule: Rule::Stated(rule),
        place,
    }));
    let auto = Held {
        order: (Stage::Auto, said.order),
        id,
        rule: Rule::Auto,
        place: &said.place,
    };
    held.extend((wants_auto && !is_infrastructure(full_name)).then_some(auto));
}

fn add(
    held: &Held<'_>,
    tables: &Tables,
    methods: &[Method],
    routing: &mut Routing,
    problems: &mut Vec<Problem>,
) {
    let Some(method) = methods.get(held.id.0 as usize) else {
        return;
    };
    let subject = Subject {
        tables,
        id: held.id,
        method,
        place: held.place,
        origin: match held.order.0 {
            Stage::Annotation => Origin::Annotation,
            Stage::Yaml => Origin::Rule,
            Stage::Auto => Origin::Auto,
        },
    };
    let auto;
    let rule = match held.rule {
        Rule::Stated(rule) => rule,
        Rule::Auto => {
            auto = http_rule::auto(method);
            &auto
        }
    };
    for binding in http_rule::bind(rule, subject, problems) {
        routing.add(binding);
    }
}

/// Services of gRPC itself, which are nobody's REST API unless somebody says so.
fn is_infrastructure(name: &str) -> bool {
    ["grpc.reflection.", "grpc.health."]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

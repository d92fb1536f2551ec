//! Headers and cookies that the configuration binds to fields of requests, and those of answers that
//! say what fields say (B14).
//!
//! A selector may select many methods of which some have the field. What fits none of them is a
//! problem, told where it stands.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Method;
use super::binding::{FieldPath, HeaderBinding, SentField};
use super::field_path::{self, FieldError};
use super::plan::Tables;
use super::policy::{BoundHeader, HeaderSource};
use super::problem::Problem;

/// What headers of a request of this method are bound to.
pub(super) fn resolve(tables: &Tables, method: &Method) -> Vec<HeaderBinding> {
    let bound = method.policy.rest.bound_headers.iter();
    bound
        .filter_map(|bound| {
            Some(HeaderBinding {
                source: bound.source.clone(),
                path: field_path::variable(tables, method.input, &bound.field).ok()?,
            })
        })
        .collect()
}

/// What headers of an answer of this method say.
pub(super) fn sent(tables: &Tables, method: &Method) -> Option<Arc<[SentField]>> {
    let sent = method.policy.rest.sent_headers.iter();
    let fields: Vec<SentField> = sent
        .filter_map(|sent| {
            Some(SentField {
                target: sent.bound.source.clone(),
                attributes: sent.attributes.clone(),
                path: of_answers(tables, method, &sent.bound).ok()?,
            })
        })
        .collect();
    (!fields.is_empty()).then(|| fields.into())
}

/// A cookie has one value, a header may come several times.
fn of_answers(
    tables: &Tables,
    method: &Method,
    bound: &BoundHeader,
) -> Result<FieldPath, FieldError> {
    let many = matches!(bound.source, HeaderSource::Header(_));
    field_path::values(tables, method.output, &bound.field, many)
}

/// Reports what is bound to a field that no method has.
pub(super) fn report(tables: &Tables, methods: &[Method], problems: &mut Vec<Problem>) {
    let mut asked = Seen::default();
    let mut told = Seen::default();
    for method in methods {
        for bound in &method.policy.rest.bound_headers {
            let found = field_path::variable(tables, method.input, &bound.field);
            asked.note(bound, found.err());
        }
        for sent in &method.policy.rest.sent_headers {
            let found = of_answers(tables, method, &sent.bound);
            told.note(&sent.bound, found.err());
        }
    }
    asked.report("", problems);
    told.report(" of answers", problems);
}

/// What was found of each entry of the configuration: no error as soon as one method has the field.
#[derive(Default)]
struct Seen<'p> {
    places: FxHashMap<(&'p str, &'p HeaderSource), usize>,
    all: Vec<(&'p BoundHeader, Option<FieldError>)>,
}

impl<'p> Seen<'p> {
    fn note(&mut self, bound: &'p BoundHeader, error: Option<FieldError>) {
        let at = *self
            .places
            .entry((&bound.selector, &bound.source))
            .or_insert(self.all.len());
        match self.all.get_mut(at) {
            None => self.all.push((bound, error)),
            Some((_, first)) if error.is_none() => *first = None,
            Some(_) => {}
        }
    }

    fn report(self, whose: &str, problems: &mut Vec<Problem>) {
        for (bound, error) in self.all {
            let Some(error) = error else { continue };
            let text = format!(
                "{}{whose} of `{}` is bound to `{}`, which cannot be: {}",
                bound.source, bound.selector, bound.field, error.text
            );
            let mut problem = Problem::error(bound.place.clone(), text);
            problem.help = error.help;
            problems.push(problem);
        }
    }
}

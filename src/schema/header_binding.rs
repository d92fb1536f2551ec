//! Headers and cookies that the configuration binds to fields of requests (B14).
//!
//! A selector may select many methods of which some have the field. What fits none of them is a
//! problem, told where it stands.

use rustc_hash::FxHashMap;

use super::Method;
use super::binding::HeaderBinding;
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

/// Reports what is bound to a field that no method has.
pub(super) fn report(tables: &Tables, methods: &[Method], problems: &mut Vec<Problem>) {
    let mut seen: FxHashMap<(&str, &HeaderSource), usize> = FxHashMap::default();
    let mut all: Vec<(&BoundHeader, Option<FieldError>)> = Vec::new();
    for method in methods {
        for bound in &method.policy.rest.bound_headers {
            let error = field_path::variable(tables, method.input, &bound.field).err();
            let at = *seen
                .entry((&bound.selector, &bound.source))
                .or_insert(all.len());
            match all.get_mut(at) {
                None => all.push((bound, error)),
                Some((_, first)) if error.is_none() => *first = None,
                Some(_) => {}
            }
        }
    }
    for (bound, error) in all {
        let Some(error) = error else { continue };
        let text = format!(
            "{} of `{}` is bound to `{}`, which cannot be: {}",
            bound.source, bound.selector, bound.field, error.text
        );
        let mut problem = Problem::error(bound.place.clone(), text);
        problem.help = error.help;
        problems.push(problem);
    }
}

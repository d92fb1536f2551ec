//! From bindings to the route table, and what happens when two methods want one place in it (R4).

use rustc_hash::FxHashMap;

use super::binding::{Binding, Origin};
use super::compile::Conflicts;
use super::problem::{Location, Problem};
use super::{BindingId, Method, MethodId, RouteTarget};
use crate::route::trie::Trie;

/// The route table and what it leads to.
#[derive(Debug)]
pub(super) struct Routing {
    pub(super) bindings: Vec<Binding>,
    pub(super) routes: Trie<RouteTarget>,
    conflicts: Conflicts,
    clashes: Vec<Clash>,
    /// Index into `clashes` by the binding that had the place first.
    clash_of: FxHashMap<BindingId, usize>,
}

/// A place in the route table that more than one method claims.
#[derive(Debug)]
struct Clash {
    /// HTTP method and path, as the first claim has them.
    route: String,
    claims: Vec<(MethodId, Location)>,
}

impl Routing {
    /// An empty table.
    pub(super) fn new(conflicts: Conflicts) -> Self {
        Self {
            bindings: Vec::new(),
            routes: Trie::default(),
            conflicts,
            clashes: Vec::new(),
            clash_of: FxHashMap::default(),
        }
    }

    /// Puts a binding in its place. Bindings come in the order in which they were declared,
    /// automatic ones after all others.
    ///
    /// Claims clash when they match the same paths segment by segment, with the same verb and the
    /// same HTTP method; a custom `*` is a method of its own, which comes after the named ones
    /// (R3). Stating a route twice for one method is fine, and the first statement counts.
    pub(super) fn add(&mut self, binding: Binding) {
        let Ok(next) = u32::try_from(self.bindings.len()) else {
            return;
        };
        let next = BindingId(next);
        let slot = self.routes.entry(&binding.http_method, &binding.template);
        let holder = match slot {
            None => {
                *slot = Some(RouteTarget::Serve(next));
                self.bindings.push(binding);
                return;
            }
            Some(RouteTarget::Serve(holder)) => *holder,
            Some(RouteTarget::Conflict(all)) => all.first().copied().unwrap_or(next),
        };
        let Some(held) = self.bindings.get_mut(holder.0 as usize) else {
            return;
        };
        let claim = (binding.method, binding.declared.clone());
        let clash = match self.clash_of.get(&holder) {
            Some(at) => self.clashes.get_mut(*at),
            // What nobody wrote takes no place from what somebody did.
            None if held.method == binding.method || binding.origin == Origin::Auto => return,
            None => {
                self.clash_of.insert(holder, self.clashes.len());
                self.clashes.push(Clash {
                    route: format!("{} {}", held.http_method, held.template),
                    claims: vec![(held.method, held.declared.clone())],
                });
                self.clashes.last_mut()
            }
        };
        let Some(clash) = clash else { return };
        let again = clash.claims.iter().any(|(method, _)| *method == claim.0);
        if again || binding.origin == Origin::Auto {
            return;
        }
        clash.claims.push(claim);
        match self.conflicts {
            Conflicts::First => {}
            Conflicts::Last => *held = binding,
            Conflicts::Error => {
                match slot {
                    Some(RouteTarget::Conflict(all)) => all.push(next),
                    Some(RouteTarget::Serve(_)) | None => {
                        *slot = Some(RouteTarget::Conflict(vec![holder, next]));
                    }
                }
                self.bindings.push(binding);
            }
        }
    }

    /// Reports every place that more than one method claims, once.
    pub(super) fn report(&mut self, methods: &[Method], problems: &mut Vec<Problem>) {
        for clash in self.clashes.drain(..) {
            problems.push(clash.problem(methods, self.conflicts));
        }
    }
}

impl Clash {
    fn problem(&self, methods: &[Method], conflicts: Conflicts) -> Problem {
        let name = |id: &MethodId| {
            let method = methods.get(id.0 as usize);
            method.map_or_else(String::new, |method| format!("`{}`", method.full_name()))
        };
        let text = match &*self.claims {
            [(one, _), (other, _)] => format!(
                "`{}` leads to both {} and {}",
                self.route,
                name(one),
                name(other)
            ),
            all => {
                let last = all.last().map(|(last, _)| name(last)).unwrap_or_default();
                let more = all.len().saturating_sub(1);
                format!("`{}` leads to {last} and {more} other methods", self.route)
            }
        };
        let (last, others) = match self.claims.split_last() {
            Some(((_, place), others)) => (Some(place.clone()), others),
            None => (None, self.claims.as_slice()),
        };
        let (mut problem, help) = match conflicts {
            Conflicts::Error => (
                Problem::error(last, text),
                "none of them is served there; change all paths but one, or set rest.conflicts",
            ),
            Conflicts::First => (
                Problem::warning(last, text),
                "the first one declared is served there (rest.conflicts: first)",
            ),
            Conflicts::Last => (
                Problem::warning(last, text),
                "the last one declared is served there (rest.conflicts: last)",
            ),
        };
        for (method, place) in others {
            let note = format!("{} claims it here", name(method));
            problem = problem.with_note(place.clone(), note);
        }
        problem.with_help(help)
    }
}

/// Marks the methods whose every rule is of a verb that HTTP lets anybody repeat (RFC 9110, 9.2.2).
pub(super) fn mark_repeatable(methods: &mut [Method], bindings: &[Binding]) {
    // By method: no rule seen, only repeatable ones, or another one too.
    let mut verbs: Vec<Option<bool>> = vec![None; methods.len()];
    for binding in bindings {
        let verb = &*binding.http_method;
        let repeats = matches!(verb, "GET" | "HEAD" | "PUT" | "DELETE");
        if let Some(all) = verbs.get_mut(binding.method.0 as usize) {
            *all = Some(all.unwrap_or(true) && repeats);
        }
    }
    for (method, verbs) in methods.iter_mut().zip(verbs) {
        method.repeatable |= verbs.unwrap_or(false);
    }
}

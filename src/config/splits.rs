//! From `routes.*.split` to [`Split`], and what of it cannot be meant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::settings::{ChoiceSettings, Settings, SplitSettings, StickySettings};
use super::tree::Tree;
use super::values::{CookieName, HeaderName, Selector};
use super::{upstreams, words};
use crate::schema::policy::HeaderSource;
use crate::schema::problem::Problem;
use crate::schema::split::{Choice, Guard, Plan, Ramp, Split, Splits, Sticky};

/// The splits of the routes that have one. What is wrong has been told, and is left out.
pub(super) fn all(settings: &Settings, known: &Splits) -> BTreeMap<Selector, Arc<Split>> {
    let routes = settings.routes.iter();
    let split = |(selector, route): (&Selector, &super::settings::RouteSettings)| {
        let plan = plan(selector, route.split.as_ref()?, settings)?;
        Some((selector.clone(), known.of(plan)))
    };
    routes.filter_map(split).collect()
}

fn plan(selector: &Selector, given: &SplitSettings, settings: &Settings) -> Option<Plan> {
    let weights = given.weights.iter();
    let sides: Vec<(Arc<str>, u64)> = weights
        .map(|(name, weight)| (name.as_str().into(), u64::from(*weight)))
        .collect();
    let side = |name: &str| sides.iter().position(|(one, _)| **one == *name);
    let choices = given.choose.iter();
    let choice = |given: &ChoiceSettings| {
        Some(Choice {
            source: source(given.header.as_ref(), given.cookie.as_ref())?,
            value: given.value.as_deref().map(Box::from),
            side: side(&given.upstream.as_ref()?.0)?,
        })
    };
    let period = |given: Option<super::values::Period>, usual| given.map_or(usual, |one| one.0);
    Some(Plan {
        route: selector.as_str().into(),
        choices: choices.map(choice).collect::<Option<_>>()?,
        sticky: given.sticky.as_ref().and_then(sticky),
        new: side(new(given, settings)?)?,
        guard: given.guard.as_ref().map(|guard| Guard {
            errors: f64::from(guard.errors.unwrap_or(5)) / 100.0,
            slower: Some(guard.slower.unwrap_or(100))
                .filter(|percent| *percent > 0)
                .map(|percent| 1.0 + f64::from(percent) / 100.0),
            minimum: guard.minimum.unwrap_or(50).into(),
            window: period(guard.window, Duration::from_secs(30)),
        }),
        ramp: given.ramp.as_ref().map(|ramp| Ramp {
            steps: match &ramp.steps {
                Some(steps) => steps.iter().map(|step| u64::from(*step)).collect(),
                None => vec![1, 5, 25, 100],
            },
            hold: period(ramp.hold, Duration::from_secs(300)),
        }),
        sides,
    })
}

fn source(header: Option<&HeaderName>, cookie: Option<&CookieName>) -> Option<HeaderSource> {
    match (header, cookie) {
        (Some(name), None) => Some(HeaderSource::Header(name.0.clone())),
        (None, Some(name)) => Some(HeaderSource::Cookie(name.0.clone())),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

fn sticky(given: &StickySettings) -> Option<Sticky> {
    match source(given.header.as_ref(), given.cookie.as_ref()) {
        Some(source) => Some(Sticky::Value(source)),
        None => given.address.then_some(Sticky::Address),
    }
}

/// The new side: the one that is named, or of two the one that is not the application.
fn new<'s>(given: &'s SplitSettings, settings: &Settings) -> Option<&'s str> {
    if let Some(name) = &given.new {
        return Some(&name.0);
    }
    let application = upstreams::name_of_application(settings);
    let mut names = given.weights.keys();
    match (names.next(), names.next(), names.next()) {
        (Some(one), Some(other), None) if one == application => Some(other),
        (Some(one), Some(other), None) if other == application => Some(one),
        // Nothing is about it.
        (Some(one), ..) if given.guard.is_none() && given.ramp.is_none() => Some(one),
        _ => None,
    }
}

/// Tells what cannot be meant.
pub(super) fn conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    for (selector, route) in &settings.routes {
        if let Some(split) = &route.split {
            let told = Told {
                settings,
                tree,
                selector: selector.as_str(),
                problems,
            };
            told.all(split, route.upstream.is_some());
        }
    }
}

/// The problems of one split.
struct Told<'a> {
    settings: &'a Settings,
    tree: &'a Tree,
    selector: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Told<'_> {
    fn say(&mut self, within: &[&str], message: String, help: &str) {
        let path = [&["routes", self.selector, "split"], within].concat();
        let place = self.tree.value_place(&path);
        let place = place.or_else(|| self.tree.place(&["routes", self.selector, "split"]));
        self.problems
            .push(Problem::error(place, message).with_help(help));
    }

    fn all(mut self, split: &SplitSettings, has_upstream: bool) {
        let selector = self.selector;
        let name = format!("routes.{selector}.split");
        if has_upstream {
            let message = format!("`{name}` stands beside `upstream`");
            self.say(&[], message, "keep one of them");
        }
        if split.weights.len() < 2 {
            let message = format!("`{name}.weights` names fewer than two upstreams");
            self.say(
                &["weights"],
                message,
                "write `weights: {app: 95, canary: 5}`",
            );
            return;
        }
        self.weights(split, &name);
        self.sides(split, &name);
        if let Some(sticky) = &split.sticky {
            let given = [
                sticky.header.is_some(),
                sticky.cookie.is_some(),
                sticky.address,
            ];
            if given.iter().filter(|given| **given).count() != 1 {
                let message = format!("`{name}.sticky` names not one thing");
                self.say(
                    &["sticky"],
                    message,
                    "give `header`, `cookie` or `address: true`",
                );
            }
        }
        let steps = split.ramp.as_ref().and_then(|ramp| ramp.steps.as_ref());
        if steps.is_some_and(Vec::is_empty) {
            let message = format!("`{name}.ramp.steps` is empty");
            self.say(
                &["ramp", "steps"],
                message,
                "leave it out for 1, 5, 25 and 100",
            );
        }
    }

    fn weights(&mut self, split: &SplitSettings, name: &str) {
        for (upstream, weight) in &split.weights {
            if !upstreams::is_known(upstream, self.settings) {
                let path = ["routes", self.selector, "split", "weights", upstream];
                let place = self.tree.place(&path);
                self.problems
                    .push(upstreams::unknown(upstream, self.settings, place));
            }
            if u64::from(*weight) > Plan::MOST {
                let message = format!("the weight of `{upstream}` is more than {}", Plan::MOST);
                self.say(
                    &["weights", upstream],
                    message,
                    "weights are shares of their sum",
                );
            }
        }
        if split.ramp.is_none() && split.weights.values().all(|weight| *weight == 0) {
            let message = format!("`{name}.weights` leave no side that calls could go to");
            self.say(
                &["weights"],
                message,
                "give one of them a weight of 1 or more",
            );
        }
    }

    fn sides(&mut self, split: &SplitSettings, name: &str) {
        let names: Vec<&str> = split.weights.keys().map(String::as_str).collect();
        let known = words::list_words(&names, "and");
        match new(split, self.settings) {
            None => {
                let message = format!("`{name}.new` has to say which side is the new one");
                self.say(&[], message, "name one of `weights`");
            }
            Some(new) if !split.weights.contains_key(new) => {
                let message = format!("`{new}` is no side of this split: {known}");
                self.say(&["new"], message, "name one of `weights`");
            }
            Some(_) => {}
        }
        for (index, choice) in split.choose.iter().enumerate() {
            let upstream = choice.upstream.as_ref().map(|name| &*name.0);
            let is_side = upstream.is_some_and(|name| split.weights.contains_key(name));
            if source(choice.header.as_ref(), choice.cookie.as_ref()).is_none() || !is_side {
                let message = format!("`{name}.choose[{index}]` leads nowhere");
                let help = format!("it takes `header` or `cookie`, and as `upstream` {known}");
                self.say(&["choose"], message, &help);
            }
        }
    }
}

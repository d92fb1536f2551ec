//! What the selectors of `routes` select: [`Config::unused_routes`].

use super::Config;
use super::values::{Selector, Typed};
use crate::schema::problem::{Location, Problem};
use crate::schema::{Method, Schema, nearest};

/// A selector of `routes` and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The selector.
    pub selector: Selector,
    /// Where it stands.
    pub location: Option<Location>,
}

impl Config {
    /// A warning for each selector of `routes` that selects no method of a schema.
    pub fn unused_routes(&self, schema: &Schema) -> Vec<Problem> {
        let unused = self
            .selected
            .iter()
            .filter(|selected| !schema.methods.iter().any(|m| selected.selects(m)));
        unused.map(|selected| selected.warning(schema)).collect()
    }
}

impl Selected {
    fn selects(&self, method: &Method) -> bool {
        Selector::read(&full_name(method)).is_ok_and(|name| self.selector.covers(&name))
    }

    fn warning(&self, schema: &Schema) -> Problem {
        let message = format!("`{}` of `routes` selects no method", self.selector);
        let problem = Problem::warning(self.location.clone(), message);
        let methods = schema.methods.iter().map(full_name);
        let services = schema
            .methods
            .iter()
            .map(|method| method.service.to_string());
        let names: Vec<String> = methods.chain(services).collect();
        let wanted = self.selector.as_str();
        let wanted = wanted.strip_suffix(".*").unwrap_or(wanted);
        problem.with_help(match nearest(wanted, names.iter().map(String::as_str)) {
            Some(name) => format!("the nearest name is `{name}`"),
            None => "`sidegate routes` shows the methods there are".to_owned(),
        })
    }
}

fn full_name(method: &Method) -> String {
    format!("{}.{}", method.service, method.name)
}

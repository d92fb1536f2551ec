//! The application's own configuration: values from files, merged, and made into one text.
//!
//! ```text
//! base.yaml + site.yaml + ...   (a later file changes what it names, null takes it away)
//!     -> values, as JSON
//!     -> a template filled in, lines for an environment, or JSON itself
//!     -> Draft, which stands beside its file until it is published whole
//! ```
//!
//! Everything that is wrong is told with its place, and then nothing is written. What the values
//! mean is the application's business.

mod draft;
mod environment;
mod template;
mod values;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::schema::problem::{Location, Problem};

pub use draft::Draft;

/// What is made of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// Files with values, a later one over an earlier one.
    pub values: Vec<PathBuf>,
    /// What is filled in.
    pub template: Option<PathBuf>,
    /// Where the result goes.
    pub file: Option<PathBuf>,
}

/// What the application is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendered {
    /// All values.
    pub values: Value,
    /// What its file holds.
    pub text: String,
}

impl Params {
    /// The files that it is made of.
    pub fn sources(&self) -> Vec<PathBuf> {
        self.values.iter().chain(&self.template).cloned().collect()
    }
}

/// Reads and fills in everything. Blocks.
pub fn render(params: &Params) -> Result<Rendered, Vec<Problem>> {
    let mut problems = Vec::new();
    let values = values::merged(&params.values, &mut problems);
    let text = match &params.template {
        Some(template) => template::filled(template, &values, &mut problems),
        None if params.file.as_deref().is_some_and(is_environment) => {
            environment::lines(&values, &mut problems)
        }
        None => format!("{values:#}\n"),
    };
    if problems.is_empty() {
        Ok(Rendered { values, text })
    } else {
        Err(problems)
    }
}

/// Whether a file holds variables, `NAME=value` each.
fn is_environment(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == ".env")
        || file.extension().is_some_and(|ending| ending == "env")
}

/// A file as places name it.
fn named(file: &Path) -> Location {
    Location::file(&*file.to_string_lossy())
}

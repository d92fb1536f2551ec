//! What the settings say about the application's own configuration: its files, and what cannot
//! stand together. They are not read here.

use std::path::PathBuf;

use rustix::process::Signal;

use super::overlay::Input;
use super::resolve::path;
use super::settings::Settings;
use super::tree::Tree;
use crate::render::Params;
use crate::schema::problem::Problem;

/// The application's own configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppConfig {
    /// What it is made of, and where it goes.
    pub params: Params,
    /// Whether it is served on the admin port.
    pub serve: bool,
    /// What the application is told of a change with.
    pub signal: Option<Signal>,
}

/// What is made of what.
pub(super) fn resolve(settings: &Settings, tree: &Tree, input: &Input) -> AppConfig {
    let values = tree.items(&["app_config", "values"]);
    let one = |key: &str| -> Option<PathBuf> {
        let branch = tree.branch(&["app_config", key])?;
        path(&branch.tree, input)
    };
    AppConfig {
        params: Params {
            values: values.iter().filter_map(|item| path(item, input)).collect(),
            template: one("template"),
            file: one("file"),
        },
        serve: settings.app_config.serve,
        signal: settings.app_config.signal.into(),
    }
}

/// Tells what leads nowhere.
pub(super) fn conflicts(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let app = &settings.app_config;
    let place = |key: &str| tree.place(&["app_config", key]);
    if app.template.is_some() && app.file.is_none() {
        let message = "`app_config.template` is filled in for no file";
        problems.push(
            Problem::error(place("template"), message)
                .with_help("`app_config.file` is the file that the application reads"),
        );
    }
    if app.values.is_empty() && (app.file.is_some() || app.serve) {
        let key = if app.file.is_some() { "file" } else { "serve" };
        let message = format!("`app_config.{key}` has no values");
        problems.push(
            Problem::error(place(key), message)
                .with_help("`app_config.values` is a list of YAML or JSON files"),
        );
    }
}

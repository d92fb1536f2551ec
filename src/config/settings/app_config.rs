//! `app_config`: the application's own configuration.

use std::path::PathBuf;

use rustix::process::Signal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The application's own configuration, changed without a restart: values from files, made into one
/// file that it reads, or served to it. Off as long as there are no `values`.
///
/// The files are watched. When something in them is wrong, nothing is written, and all of it is told.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct AppConfigSettings {
    /// YAML or JSON files, each over those before it as JSON Merge Patch has it (RFC 7396): mappings
    /// key by key, `null` takes a key away, everything else is replaced.
    pub values: Vec<PathBuf>,

    /// The file that the application reads. It is written before the application is started by
    /// `sidegate run`, and again when the values change, always whole. Without `template` it is
    /// JSON, which is YAML too; when it ends in `.env` it is a line `DATABASE_HOST=...` for each
    /// value.
    pub file: Option<PathBuf>,

    /// What is filled in to make the file: `{{ database.host }}` is a value, `{{ hosts.0 }}` an item
    /// of a list, `{{ name | json }}` a text as JSON, with its quotes, and `{{ "{{" }}` the braces
    /// themselves. What no values have is told as a problem.
    pub template: Option<PathBuf>,

    /// Whether the values are served as JSON, at `/app-config` on the admin port.
    pub serve: bool,

    /// What the application of `sidegate run` is sent when the values have changed.
    pub signal: AppSignal,
}

choice! {
    /// `app_config.signal`.
    AppSignal: Option<Signal> {
        /// Nothing: it looks at the file itself.
        None => None,
        /// SIGHUP.
        Hup => Some(Signal::HUP),
        /// SIGUSR1.
        Usr1 => Some(Signal::USR1),
        /// SIGUSR2.
        Usr2 => Some(Signal::USR2),
    }
}

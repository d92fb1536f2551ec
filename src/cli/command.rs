//! What can be asked for: a [`Command`], each with its own arguments.
//!
//! The flags of the configuration, which all of them take, stand in [`super::args`].

use std::ffi::OsString;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use clap_complete::Shell;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::probe::Check;
use crate::config::values::{PeriodOrZero, Typed};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the gateway (the default)
    Serve {
        /// Replace the gateway that offers its sockets at `lifecycle.takeover`, without a refused
        /// connection; start as usual when there is none
        #[arg(long)]
        takeover: bool,
    },
    /// Start a command, the application, beside the gateway and share its life: wait for its port,
    /// hand signals on, drain, exit with its code
    Run {
        /// The command and its arguments, after `--`
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Load configuration and schemas and print every problem; exit 1 when something is wrong
    Check,
    /// Print the route table: method, template, rpc, body, and where it was declared
    Routes {
        /// How to print it
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        format: TableFormat,
    },
    /// Print the OpenAPI 3.1 description of the routes
    Openapi {
        /// How to print it
        #[arg(long, value_name = "FORMAT", default_value = "json")]
        format: DocumentFormat,
    },
    /// Say what would become of a request, and why: its route, rpc and limits, or what is nearest;
    /// exit 1 when it would be refused
    Explain(Explain),
    /// Print the JSON Schema of sidegate.yaml
    ConfigSchema,
    /// Ask a running gateway whether it is ready, at its admin or ops address; exit 0 when it is
    Probe {
        /// What to ask
        #[arg(value_name = "CHECK", default_value = "ready")]
        check: Check,
        /// How long to wait for the answer
        #[arg(long, value_name = "TIME", default_value = "3s", value_parser = period)]
        timeout: Duration,
    },
    /// Ask a running gateway to drain, at its admin address, and wait: what a preStop hook runs
    Drain {
        /// How long to wait afterwards, while new connections are still served
        #[arg(long, value_name = "TIME", default_value = "0s", value_parser = period)]
        wait: Duration,
    },
    /// Print what completes this command line, to be sourced by the shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page of sidegate, or of one of its commands, in roff
    Man {
        /// The command
        #[arg(value_name = "COMMAND")]
        page: Option<String>,
    },
}

/// A length of time, as the file has them.
fn period(text: &str) -> Result<Duration, String> {
    PeriodOrZero::read(text)
        .map(|period| period.0)
        .map_err(|_refused| format!("it must be {}", PeriodOrZero::EXPECTED))
}

/// A request to be explained.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Explain {
    /// The HTTP method
    #[arg(value_name = "METHOD")]
    pub method: String,
    /// The path, with its query if it has one
    #[arg(value_name = "PATH")]
    pub path: String,
    /// A header as `Name: value`, repeatable; its content type decides the protocol
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub header: Vec<String>,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: TableFormat,
}

impl Explain {
    /// The headers, or what is wrong with one.
    pub fn headers(&self) -> Result<HeaderMap, String> {
        let read = |text: &String| {
            let (name, value) = text.split_once(':')?;
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, HeaderValue::try_from(value.trim()).ok()?))
        };
        let pairs = self.header.iter().map(|text| {
            read(text).ok_or_else(|| format!("`{text}` is no header such as `Name: value`"))
        });
        pairs.collect()
    }
}

/// How to print a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// How to print a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DocumentFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

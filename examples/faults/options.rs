//! What the command is asked for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Every fault that Sidegate is to survive, done to the real process beside a bystander.
#[derive(Debug, Parser)]
#[command(name = "faults")]
pub(crate) struct Options {
    /// Some faults, by number.
    #[arg(long, value_delimiter = ',', value_name = "NUMBER,...")]
    pub(crate) only: Vec<u8>,
    /// The full counts and times: most of an hour.
    #[arg(long)]
    pub(crate) long: bool,
    /// The gateway that is tried. Of a peer only the faults that need nothing of our own.
    #[arg(long, value_enum, default_value_t = Target::Sidegate)]
    pub(crate) target: Target,
    /// The program of the gateway, when it is not this one or not where the peers' yardstick
    /// installs it.
    #[arg(long)]
    pub(crate) gateway: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    Sidegate,
    Envoy,
    Nginx,
}

impl Options {
    pub(crate) fn wants(&self, number: u8) -> bool {
        self.only.is_empty() || self.only.contains(&number)
    }
}

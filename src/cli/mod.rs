//! The subcommands.

pub mod args;
mod beside;
mod client;
pub mod command;
pub mod drain;
pub mod exit;
mod manual;
pub mod probe;
pub mod run;
mod serve;
mod supervisor;
mod takeover;

pub use args::{Args, Stop};
pub use command::{Command, DocumentFormat, Explain, TableFormat};

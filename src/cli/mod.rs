//! The subcommands.

pub mod args;
mod beside;
mod client;
pub mod drain;
pub mod exit;
pub mod probe;
pub mod run;
mod supervisor;

pub use args::{Args, Command, DocumentFormat, Explain, Stop, TableFormat};

//! The subcommands.

pub mod args;
pub mod exit;
pub mod probe;
pub mod run;

pub use args::{Args, Command, DocumentFormat, Stop, TableFormat};

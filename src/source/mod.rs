//! Where schemas come from: proto directories, descriptor sets, reflection.
//!
//! Every source gives [`Loaded`]: encoded descriptor files, and the problems of what it had to
//! leave out. None of them compiles a schema, and none of them gives up at the first problem.

pub mod descriptor_set;
pub mod known;
pub mod merge;
pub mod proto_dir;
mod raw;
pub mod reflection;
pub mod service_yaml;
mod thin;

use crate::schema::compile::SourceFile;
use crate::schema::problem::Problem;

/// What a source gave.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The files that are sound, imports before what imports them.
    pub files: Vec<SourceFile>,
    /// What is wrong with the others.
    pub problems: Vec<Problem>,
}

//! Schemas from `.proto` files: directories and single files are read and linked at run time.
//!
//! A file that is broken takes itself and what needs it out, nothing else. An import that cannot
//! be had takes nothing with it as long as only options need it. Files with an edition, which our
//! compiler does not read, go to `protoc` or `buf`, when there is one. All problems are told,
//! with line and column; the same files give the same result.

mod disk;
pub mod editions;
mod find;
mod graph;
mod link;
mod load;
mod options;
mod scan;
mod spans;
mod tell;
#[cfg(test)]
mod tests;
mod workspace;

use std::path::PathBuf;

use super::Loaded;
use crate::schema::compile::SourceFile;
use editions::Tool;

/// What to load.
#[derive(Clone, Debug)]
pub struct Params {
    /// `--proto`: directories, all of whose files are loaded, and single files.
    pub protos: Vec<PathBuf>,
    /// `--include`: directories in which imports are looked for as well.
    pub includes: Vec<PathBuf>,
    /// What compiles files with an edition, the preferred one first; see [`editions::find`].
    pub tools: Vec<Tool>,
}

/// Loads all that `params` name. This reads files and may run an external compiler: it blocks.
pub fn load(params: &Params) -> Loaded {
    let mut problems = Vec::new();
    let (roots, listed) = disk::Roots::list(params, &mut problems);
    let graph = find::build(&roots, listed, &mut problems);
    let files = load::link_all(graph, &roots, &params.tools, &mut problems);
    problems.sort_by(|left, right| left.location.cmp(&right.location));
    Loaded { files, problems }
}

/// The built-in files of these names, imports first.
pub(super) fn builtins(names: &[&str]) -> Vec<SourceFile> {
    let graph = find::of_builtins(names);
    load::link_all(graph, &disk::Roots::default(), &[], &mut Vec::new())
}

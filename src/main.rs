//! `sidegate`: from arguments to a running gateway. The only place that exits.

fn main() {}

//! The `compartment` command line.
fn main() {}

//! The only task runner: check, test, bench, score.
fn main() {}

//! Side-by-side benchmarks and scoring; run through `cargo xtask bench` and `cargo xtask score`.
fn main() {}

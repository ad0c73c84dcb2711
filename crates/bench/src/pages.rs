//! The examples of the pages, as doc tests: a published crate has no page of the workspace in its package.

/// The README's examples compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// So do those of the page about locks and limits.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/locks-and-limits.md")]
struct LocksAndLimits;

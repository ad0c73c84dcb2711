//! The examples in the workspace's pages as doc tests, since packages do not contain the pages.

/// The README's examples compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The examples on locks and limits compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/locks-and-limits.md")]
struct LocksAndLimits;

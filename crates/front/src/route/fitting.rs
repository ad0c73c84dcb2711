//! The routes that fit a program: programs with the same ones share a view.

use super::target::DatabaseId;

/// What makes the view of a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fitting {
    /// The positions of the routes that fit, in order.
    pub(super) rules: Vec<usize>,
    /// Whether the rules of `[keys]` and the default apply: they are for index 0.
    pub(super) is_first_index: bool,
    /// The database of commands without keys if the routes tell none.
    pub(super) home: DatabaseId,
}

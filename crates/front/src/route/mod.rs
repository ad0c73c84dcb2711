//! Which database a key of a program lives in.
//!
//! A [`Router`] is made from a map once. It gives each program a [`View`]: the routes that fit its login, its name and
//! the index that it selects. A view answers for each key without allocating and without a lock.

mod clients;
mod explain;
mod explanation;
mod fitting;
mod router;
mod rule;
mod shown;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod view;

pub use clients::Program;
pub use explanation::{Explanation, Passed, Placed, Taken, Why};
pub use router::Router;
pub(crate) use router::is_clustered;
pub use target::{ANY_SLOT, DatabaseId, RouteId, Target};
pub use view::View;

//! A connection that a program has for itself, and why.

use std::rc::Rc;

use crate::upstream::Line;

/// Why a program has a connection of its own. Without any, it is given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holds {
    /// It watches keys.
    pub(super) watches: bool,
    /// It is subscribed to channels, or was a moment ago.
    pub(super) subscribes: bool,
    /// It has state at the server that only ends with the connection: an identity, tracking, what it does not evict.
    pub(super) keeps_state: bool,
}

/// A program's own connection.
pub(super) struct Own {
    pub(super) line: Rc<Line>,
    pub(super) server: usize,
    pub(super) index: u32,
    pub(super) holds: Holds,
}

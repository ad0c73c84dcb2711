//! A place in a document that shows something.

use serde::{Deserialize, Serialize};

/// The place in a document that shows a relationship, as byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Evidence {
    /// Moves the place behind `by` bytes that come before the text.
    pub(super) fn shift(&mut self, by: usize) {
        self.start += by;
        self.end += by;
    }
}

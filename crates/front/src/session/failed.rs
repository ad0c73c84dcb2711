//! Why a request goes no further.

use crate::upstream::Lost;

/// The program has gone, or its connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// Why a step could not be taken.
#[derive(Debug)]
pub(super) enum Failed {
    Gone,
    /// The program is told this error.
    Error(String),
    Lost(Lost),
}

impl From<Gone> for Failed {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Lost> for Failed {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

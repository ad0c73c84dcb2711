//! A request, with what the front does before and after it.

use bytes::Bytes;

/// A command of the front, at an index.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) index: u32,
    pub(super) bytes: Bytes,
}

/// A request, and what the front does before and after it.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    pub(super) before: Vec<Frame>,
    pub(super) request: Bytes,
    pub(super) after: Vec<Frame>,
    pub(super) counted: Counted,
}

/// What of it is counted as a write without a life, by the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Nothing,
    /// The request itself.
    This,
    /// Each of the replies after it that reads like this.
    Replies(&'static [u8]),
}

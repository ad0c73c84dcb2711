//! Who takes a whole reply, to make something of it.

use std::rc::Rc;

/// Why a request has no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Whether the server may have executed it.
    pub(crate) may_have_run: bool,
    /// Whether the server could not be reached, or is gone.
    pub(crate) is_away: bool,
    /// The reply that a program gets instead, if it stays connected: an error without its first `-`.
    pub(crate) error: Rc<str>,
}

/// Takes the replies to the parts of a request.
pub(crate) trait Gather: std::fmt::Debug {
    /// The whole reply to part `part`.
    fn reply(&self, part: u32, reply: &[u8]);

    /// Whether somebody makes a program's reply of it after this, so that messages that come now come later than that.
    fn is_before_messages(&self) -> bool {
        false
    }

    /// There will be none.
    fn lost(&self, part: u32, lost: &Lost);
}

/// Gives messages the names that a program knows.
pub(crate) trait Rename: std::fmt::Debug {
    /// The message as the program is to see it; empty if it is not for it.
    fn rename(&self, message: &[u8]) -> bytes::Bytes;
}

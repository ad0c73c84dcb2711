//! Who keeps a request to a cluster until its reply is known.

use std::rc::Rc;
use std::time::Instant;

use super::gather::Lost;
use crate::accounting::{About, Replied};
use crate::session::outbox::Outbox;

/// A request that is kept until its reply is known.
pub(crate) trait Keeps: std::fmt::Debug {
    /// The program that the reply goes to as it comes, and the number of the request.
    fn program(&self) -> Option<(&Rc<Outbox>, u64)>;

    /// A reply that is an error, or is needed whole.
    fn replied(self: Box<Self>, reply: &[u8], about: Option<About>, replied: Replied, now: Instant);

    /// The program has its reply.
    fn answered(self: Box<Self>);

    /// There will be none.
    fn lose(self: Box<Self>, lost: &Lost);
}

/// A request that waits for its turn to be sent again.
pub(crate) trait Again: std::fmt::Debug {
    /// It has its turn.
    fn go(self: Box<Self>);
}

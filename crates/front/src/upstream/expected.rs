//! Replies that are expected on a connection, and whom they are for.

use std::rc::Rc;

use super::gather::{Gather, Lost};
use super::keeps::Keeps;
use crate::accounting::About;
use crate::session::outbox::Outbox;

/// Whom a reply is for.
#[derive(Debug)]
pub(crate) enum To {
    /// A program, as it comes.
    Program { outbox: Rc<Outbox>, number: u64 },
    /// Someone who needs it whole.
    Gather { gather: Rc<dyn Gather>, part: u32 },
    /// A program of RESP2 that subscribes or ends it: a reply for each channel. The next reply that is none ends them.
    Subscriber { outbox: Rc<Outbox>, number: u64 },
    /// As `Program` or `Gather`, of a request to a cluster, which is sent again where its slot has gone.
    Kept(Box<dyn Keeps>),
    /// Who waits for the PONG behind a subscription of RESP3: an error before it is the subscription's.
    Subscribed { outbox: Rc<Outbox>, gather: Rc<dyn Gather> },
}

#[derive(Debug)]
pub(super) struct Expected {
    pub(super) to: To,
    pub(super) about: Option<About>,
}

impl Expected {
    /// There is no reply.
    pub(super) fn lose(self, lost: &Lost) {
        if let Some(about) = self.about {
            about.lost();
        }
        match self.to {
            To::Program { outbox, number } | To::Subscriber { outbox, number } => {
                outbox.lose(number, lost);
            }
            To::Gather { gather, part } => gather.lost(part, lost),
            To::Kept(kept) => kept.lose(lost),
            To::Subscribed { gather, .. } => gather.lost(0, lost),
        }
    }
}

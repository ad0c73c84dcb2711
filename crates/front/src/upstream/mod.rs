//! Connections to servers: lanes that many programs share, and own ones for those that need one.

mod again;
mod ask;
mod away;
mod breaker;
mod cluster;
mod clusters;
mod drive;
mod expected;
mod gather;
mod keeps;
mod kept;
mod lent;
mod line;
mod login;
mod messages;
mod once;
mod open;
mod replies;
mod servers;

pub(crate) use ask::{Ask, asked};
pub(crate) use away::Away;
pub(crate) use expected::To;
pub(crate) use gather::{Gather, Lost, Rename};
pub(crate) use kept::{Answer, Kept, redirection};
pub(crate) use lent::Lent;
pub(crate) use line::{Line, with_scratch};
pub(crate) use login::Login;
pub(crate) use once::asked_once;
pub(crate) use servers::{LineKey, Servers};

//! Connections: how one is opened to a server, a Sentinel or a cluster, and comes back after it broke.

pub(crate) mod allowance;
mod answers;
pub(crate) mod bounded;
pub(crate) mod cluster;
pub(crate) mod cluster_slots;
pub(crate) mod connector;
pub(crate) mod diagnosis;
pub(crate) mod dial;
mod drive;
mod exchange;
mod greeting;
pub(crate) mod handshake;
mod joined;
pub(crate) mod key_slot;
pub(crate) mod line;
pub(crate) mod login;
mod outlet;
pub(crate) mod packed;
mod queue;
pub(crate) mod redirection;
mod replies;
pub(crate) mod slots;
pub(crate) mod stream;

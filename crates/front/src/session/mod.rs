//! One program's connection: its requests, its state, its replies.

mod across;
mod blocking;
mod client;
mod clustered;
mod connection;
mod contract;
mod dispatch;
mod ears;
mod failed;
mod flush;
mod followed;
mod frames;
mod held;
mod join;
mod joint;
mod keyspace;
mod large;
mod life;
mod nodes;
mod notifications;
pub(crate) mod outbox;
mod own;
mod places;
mod queued;
mod run;
mod slow;
mod split;
mod state;
mod subscribe;
mod transaction;
mod unmoved;
mod who;
mod wrapped;

pub(crate) use state::{Duplex, Session};

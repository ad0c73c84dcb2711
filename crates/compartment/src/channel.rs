//! Messages to the current subscribers: the store behind [`Database::channel`](crate::Database::channel).

pub use compartment_core::{ChannelEvent, ChannelStore, Subscription};

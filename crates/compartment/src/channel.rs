//! Messages to whoever listens: the store behind [`Database::channel`](crate::Database::channel).

pub use compartment_core::{ChannelEvent, ChannelStore, Subscription};

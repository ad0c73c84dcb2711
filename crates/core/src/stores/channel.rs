//! Channels: messages to whoever listens at the moment.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::Result;

/// An event of a subscription, in order. The stream does not end by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// A message.
    Message(Bytes),
    /// The way to the sender broke, or cannot be trusted any more. Messages from now on, and some
    /// from shortly before, are missed until [`ChannelEvent::Resumed`].
    Lost,
    /// Messages sent from now on arrive again; those sent in between do not.
    Resumed,
}

/// The stream of a subscriber.
pub type Subscription = BoxStream<'static, ChannelEvent>;

/// Channels of one database: a message goes to the subscribers there are, and nothing is kept.
///
/// Redis's own channels ignore database numbers. The name on the server therefore carries the
/// database's name, and not its place: a database that moves is heard by its whole fleet.
///
/// # Contract
/// - `a_message_reaches_every_subscriber`, the sender's own included, once.
/// - `messages_of_one_sender_arrive_in_order`: when each was sent after the one before was done.
/// - `a_subscriber_hears_its_channel_only`, whatever bytes the names have in common.
/// - `channels_are_separate_between_databases`.
/// - `a_subscription_hears_what_is_sent_once_it_is_made`: it is complete when the call returns.
///
/// # Cancellation
/// A dropped `publish` may or may not have sent its message. A dropped `subscribe` leaves no
/// subscription, and a subscription ends when it is dropped.
///
/// # Loss
/// Messages are not durable: a subscriber whose connection broke is told so
/// ([`ChannelEvent::Lost`]), and the subscription is made again without its doing. How soon a
/// silent loss is noticed is the backend's; on Redis a heartbeat runs over the same connection
/// every second, and an answer that is later than the response time-out is a loss.
///
/// # Example
/// ```
/// use compartment_core::{ChannelEvent, Database, Result};
/// use futures_util::StreamExt;
///
/// async fn hear(database: &Database) -> Result<()> {
///     let mut news = database.channel().subscribe("news").await?;
///     database.channel().publish("news", "it rains".into()).await?;
///     let heard = news.next().await;
///     assert_eq!(heard, Some(ChannelEvent::Message("it rains".into())));
///     Ok(())
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ChannelStore: fmt::Debug + Send + Sync + 'static {
    /// Sends a message. Not repeated when it may have been sent.
    async fn publish(&self, channel: &str, message: Bytes) -> Result<()>;

    /// Listens until the subscription is dropped. On Redis each subscription has a connection of
    /// its own: take one and share it.
    async fn subscribe(&self, channel: &str) -> Result<Subscription>;
}

//! Channels: messages to the current subscribers.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::Result;

/// An event of a subscription, in order. The stream does not end on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// A message.
    Message(Bytes),
    /// The connection to the senders broke, or cannot be trusted any more. Messages from now on, and some from
    /// shortly before, are missed until [`ChannelEvent::Resumed`].
    Lost,
    /// Messages sent from now on arrive again; those sent in between do not.
    Resumed,
}

/// The events of a subscriber.
pub type Subscription = BoxStream<'static, ChannelEvent>;

/// Channels of one database: a message goes to the current subscribers, and is not stored.
///
/// Redis's own channels ignore database numbers. Therefore the name on the server includes the database's name, but
/// not its placement: a moving database still reaches its whole fleet.
///
/// # Contract
/// - `a_message_reaches_every_subscriber` once, including those of the sender's process.
/// - `messages_of_one_sender_arrive_in_order`, if each was sent after the previous call returned.
/// - `a_subscriber_hears_its_channel_only`, even if the names share bytes.
/// - `channels_are_separate_between_databases`.
/// - `a_subscription_hears_what_is_sent_once_it_is_made`: it is active when the call returns.
/// - `messages_that_nobody_takes_become_a_loss`: anybody may publish, so that a subscription holds a bounded number of
///   messages; one that falls behind gets [`ChannelEvent::Lost`], [`ChannelEvent::Resumed`] and later messages.
///
/// # Cancellation
/// A dropped `publish` may or may not have sent its message. A dropped `subscribe` leaves no
/// subscription, and a subscription ends when it is dropped.
///
/// # Loss
/// Messages are not durable. A subscriber whose connection broke is notified ([`ChannelEvent::Lost`]), and the
/// subscription is renewed automatically. The backend determines how soon a silent loss is noticed; on Redis a
/// heartbeat is sent over the connection every second, and an answer later than the response time-out is a loss.
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
    /// Sends a message. It is not repeated if it may have been sent.
    async fn publish(&self, channel: &str, message: Bytes) -> Result<()>;

    /// Listens until the subscription is dropped. On Redis each subscription has a separate connection: subscribe
    /// once and share the stream.
    async fn subscribe(&self, channel: &str) -> Result<Subscription>;
}

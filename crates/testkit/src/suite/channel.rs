//! The contract of [`compartment_core::ChannelStore`].

use bytes::Bytes;
use compartment_core::{ChannelEvent, Database, Subscription};
use futures_util::StreamExt;

use super::databases::{cache, durable};
use crate::Harness;

async fn subscribe(database: &Database, channel: &str) -> Subscription {
    database.channel().subscribe(channel).await.unwrap()
}

async fn publish(database: &Database, channel: &str, message: impl Into<Bytes>) {
    database.channel().publish(channel, message.into()).await.unwrap();
}

/// The next message; other events fail the test.
async fn next(subscription: &mut Subscription) -> Bytes {
    match subscription.next().await.expect("a subscription does not end") {
        ChannelEvent::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

/// Every subscriber gets a message once, including those of the sender's process.
pub async fn a_message_reaches_every_subscriber(harness: &dyn Harness) {
    let database = cache(harness).await;
    let same = cache(harness).await;
    let mut heard = [
        subscribe(&database, "news").await,
        subscribe(&database, "news").await,
        subscribe(&same, "news").await,
    ];
    let message = Bytes::from_static(b"\x00 any \xff bytes \r\n");
    publish(&database, "news", message.clone()).await;
    publish(&same, "news", "end").await;
    for subscription in &mut heard {
        assert_eq!(next(subscription).await, message);
        assert_eq!(next(subscription).await, "end");
    }
}

/// The order holds if each message was sent after the previous call returned.
pub async fn messages_of_one_sender_arrive_in_order(harness: &dyn Harness) {
    let database = cache(harness).await;
    let mut subscription = subscribe(&database, "news").await;
    for number in 0..500 {
        publish(&database, "news", format!("{number}")).await;
    }
    for number in 0..500 {
        assert_eq!(next(&mut subscription).await, format!("{number}"));
    }
}

/// A subscriber gets its channel only, even if names share bytes; a name is not a pattern.
pub async fn a_subscriber_hears_its_channel_only(harness: &dyn Harness) {
    let database = cache(harness).await;
    let mut star = subscribe(&database, "n*").await;
    let mut empty = subscribe(&database, "").await;
    publish(&database, "news", "news").await;
    publish(&database, "n*", "star").await;
    publish(&database, "", "empty").await;
    assert_eq!(next(&mut star).await, "star");
    assert_eq!(next(&mut empty).await, "empty");
}

/// Channels of different databases are separate, although a server's channels ignore its databases.
pub async fn channels_are_separate_between_databases(harness: &dyn Harness) {
    let (cache, durable) = (cache(harness).await, durable(harness).await);
    let mut subscription = subscribe(&cache, "news").await;
    publish(&durable, "news", "of the other").await;
    publish(&cache, "news", "its own").await;
    assert_eq!(next(&mut subscription).await, "its own");
}

/// A subscription is active when the call returns; earlier messages are not received.
pub async fn a_subscription_hears_what_is_sent_once_it_is_made(harness: &dyn Harness) {
    let database = cache(harness).await;
    for number in 0..20 {
        publish(&database, "news", "before").await;
        let mut subscription = subscribe(&database, "news").await;
        publish(&database, "news", format!("{number}")).await;
        assert_eq!(next(&mut subscription).await, format!("{number}"));
    }
}

/// A subscriber that falls behind loses messages, and not the memory of its process.
pub async fn messages_that_nobody_takes_become_a_loss(harness: &dyn Harness) {
    let database = cache(harness).await;
    let mut subscription = subscribe(&database, "news").await;
    for _ in 0..20 {
        let messages = (0..1_000).map(|_| publish(&database, "news", "flood"));
        futures_util::future::join_all(messages).await;
    }
    publish(&database, "news", "end").await;
    let (mut floods, mut losses, mut is_lost) = (0, 0, false);
    loop {
        match subscription.next().await.expect("a subscription does not end") {
            ChannelEvent::Message(message) if message == "end" => break,
            ChannelEvent::Message(_) => floods += 1,
            ChannelEvent::Lost => (losses, is_lost) = (losses + 1, true),
            ChannelEvent::Resumed => is_lost = false,
            other => panic!("{other:?}"),
        }
    }
    assert!(losses > 0 && !is_lost && floods < 20_000, "{floods} messages, {losses} losses");
    publish(&database, "news", "later").await;
    assert_eq!(next(&mut subscription).await, "later");
}

suite! { channel as channel_suite, needs Channels:
    a_message_reaches_every_subscriber
    messages_of_one_sender_arrive_in_order
    a_subscriber_hears_its_channel_only
    channels_are_separate_between_databases
    a_subscription_hears_what_is_sent_once_it_is_made
    messages_that_nobody_takes_become_a_loss
}

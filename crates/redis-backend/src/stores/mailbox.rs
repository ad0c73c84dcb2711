//! The events of a subscription that its subscriber has not taken yet: bounded, because anybody may publish.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use compartment_core::ChannelEvent;
use tokio::sync::Notify;

/// The maximum number of events that wait, and of their bytes.
const MAX_EVENTS: usize = 8_192;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Events in order. A message for which there is no room removes all of them, and the subscriber is told that messages
/// were lost.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    waiting: Mutex<Waiting>,
    /// Woken when an event arrives.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<ChannelEvent>,
    bytes: usize,
    /// Whether there is no connection.
    is_lost: bool,
}

impl Waiting {
    /// Removes the events, and says that messages were lost.
    fn lose(&mut self) {
        self.events.clear();
        self.bytes = 0;
        self.events.push_back(ChannelEvent::Lost);
    }
}

impl Mailbox {
    pub(super) fn message(&self, message: Bytes) {
        let mut waiting = self.lock();
        // A connection that was given up may still receive.
        if waiting.is_lost {
            return;
        }
        let bytes = waiting.bytes.saturating_add(message.len());
        if waiting.events.len() >= MAX_EVENTS || bytes > MAX_BYTES {
            waiting.lose();
            waiting.events.push_back(ChannelEvent::Resumed);
            tracing::warn!("messages arrive faster than they are read; some are left out");
        } else {
            waiting.bytes = bytes;
            waiting.events.push_back(ChannelEvent::Message(message));
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// The connection is lost. Messages that were received before still count.
    pub(super) fn lost(&self) {
        let mut waiting = self.lock();
        waiting.is_lost = true;
        if waiting.events.len() >= MAX_EVENTS {
            waiting.lose();
        } else {
            waiting.events.push_back(ChannelEvent::Lost);
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// There is a connection again.
    pub(super) fn resumed(&self) {
        let mut waiting = self.lock();
        waiting.is_lost = false;
        waiting.events.push_back(ChannelEvent::Resumed);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Takes the next event, and waits for it. There is one subscriber.
    pub(super) async fn next(&self) -> ChannelEvent {
        loop {
            if let Some(event) = self.take() {
                return event;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<ChannelEvent> {
        let mut waiting = self.lock();
        let event = waiting.events.pop_front()?;
        if let ChannelEvent::Message(message) = &event {
            waiting.bytes = waiting.bytes.saturating_sub(message.len());
        }
        Some(event)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mailbox: &Mailbox) -> Vec<ChannelEvent> {
        std::iter::from_fn(|| mailbox.take()).collect()
    }

    #[test]
    fn a_flood_becomes_a_loss_and_later_messages_arrive() {
        for (count, length) in [(MAX_EVENTS + 1, 0), (17, 1 << 20), (1, MAX_BYTES + 1)] {
            let mailbox = Mailbox::default();
            for _ in 0..count {
                mailbox.message(vec![0; length].into());
            }
            assert_eq!(all(&mailbox), [ChannelEvent::Lost, ChannelEvent::Resumed]);
            mailbox.message("later".into());
            assert_eq!(all(&mailbox), [ChannelEvent::Message("later".into())]);
            assert_eq!(mailbox.lock().bytes, 0);
        }
    }

    #[test]
    fn a_flood_never_says_that_a_lost_connection_is_back() {
        let mailbox = Mailbox::default();
        mailbox.message("before".into());
        mailbox.lost();
        for _ in 0..=MAX_EVENTS {
            mailbox.message("late".into());
        }
        let before = ChannelEvent::Message("before".into());
        assert_eq!(all(&mailbox), [before, ChannelEvent::Lost]);
        mailbox.resumed();
        mailbox.message("after".into());
        let after = ChannelEvent::Message("after".into());
        assert_eq!(all(&mailbox), [ChannelEvent::Resumed, after]);
        for _ in 0..MAX_EVENTS {
            mailbox.lost();
            mailbox.resumed();
        }
        assert!(mailbox.lock().events.len() <= MAX_EVENTS + 1);
    }
}

//! A process's connection to its database that can be cut or delayed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::Stores;
use compartment_core::{
    ChannelEvent, ChannelStore, Database, Error, ErrorKind, Expiry, KeyStream, KeyValueStore,
    Result, SetOptions, Subscription, Ttl,
};
use futures_util::stream::{self, StreamExt};
use tokio::sync::watch;

/// Disconnects and reconnects one process.
#[derive(Clone)]
pub(crate) struct Cut {
    is_cut: Arc<watch::Sender<bool>>,
    holds_reads: Arc<watch::Sender<bool>>,
    holds_swaps: Arc<watch::Sender<bool>>,
    swaps: Arc<AtomicU64>,
    takes_turns: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
}

impl Cut {
    /// The database as seen by this process.
    pub(crate) fn of(database: &Database) -> (Database, Self) {
        let cut = Self {
            is_cut: Arc::new(watch::Sender::new(false)),
            holds_reads: Arc::new(watch::Sender::new(false)),
            holds_swaps: Arc::new(watch::Sender::new(false)),
            swaps: Arc::default(),
            takes_turns: Arc::default(),
            requests: Arc::default(),
        };
        let behind = Arc::new(Behind { stores: database.stores().clone(), cut: cut.clone() });
        let stores = database.stores().clone().into_builder();
        let stores = stores.key_value(behind.clone()).channel(behind).build();
        let contract = Arc::new(database.contract().clone());
        (Database::new(contract, Arc::default(), stores), cut)
    }

    pub(crate) fn set(&self, is_cut: bool) {
        self.is_cut.send_replace(is_cut);
    }

    pub(crate) fn is_cut(&self) -> bool {
        *self.is_cut.borrow()
    }

    /// With `true`, delays reads until a call with `false`.
    pub(crate) fn hold_reads(&self, hold: bool) {
        self.holds_reads.send_replace(hold);
    }

    /// With `true`, delays the answers of executed swaps until a call with `false`.
    pub(crate) fn hold_answers_of_swaps(&self, hold: bool) {
        self.holds_swaps.send_replace(hold);
    }

    /// The number of executed swaps.
    pub(crate) fn swaps(&self) -> u64 {
        self.swaps.load(Ordering::SeqCst)
    }

    async fn pass_read(&self) -> Result<()> {
        self.pass()?;
        // `self` holds the sender, so waiting cannot fail.
        let _ = self.holds_reads.subscribe().wait_for(|holds| !holds).await;
        Ok(())
    }

    /// Makes each request yield before and after it is executed, as over a network, so that it can be dropped at both
    /// points.
    pub(crate) fn take_turns(&self) {
        self.takes_turns.store(true, Ordering::SeqCst);
    }

    async fn turn(&self) {
        if self.takes_turns.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }

    /// The number of attempted requests.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    fn pass(&self) -> Result<()> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if self.is_cut() {
            return Err(Error::new(ErrorKind::Unavailable, "reach", "the way is cut"));
        }
        Ok(())
    }
}

struct Behind {
    stores: Stores,
    cut: Cut,
}

impl Behind {
    async fn executed<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        self.cut.turn().await;
        let answer = request.await;
        self.cut.turn().await;
        answer
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Behind")
    }
}

#[async_trait]
impl KeyValueStore for Behind {
    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.cut.pass_read().await?;
        self.executed(self.stores.key_value().get(key)).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        self.cut.pass_read().await?;
        self.executed(self.stores.key_value().get_many(keys)).await
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<bool> {
        self.cut.pass()?;
        self.executed(self.stores.key_value().set(key, value, options)).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, expiry: Expiry) -> Result<()> {
        self.cut.pass()?;
        self.executed(self.stores.key_value().set_many(entries, expiry)).await
    }

    async fn delete(&self, keys: &[String]) -> Result<u64> {
        self.cut.pass()?;
        self.executed(self.stores.key_value().delete(keys)).await
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.cut.pass()?;
        self.executed(self.stores.key_value().exists(key)).await
    }

    async fn expire(&self, key: &str, expiry: Expiry) -> Result<bool> {
        self.cut.pass()?;
        self.executed(self.stores.key_value().expire(key, expiry)).await
    }

    async fn ttl(&self, key: &str) -> Result<Ttl> {
        self.cut.pass()?;
        self.executed(self.stores.key_value().ttl(key)).await
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Bytes>,
        replacement: Option<Bytes>,
        expiry: Expiry,
    ) -> Result<bool> {
        self.cut.pass()?;
        let swap = self.stores.key_value().compare_and_set(key, expected, replacement, expiry);
        let answer = self.executed(swap).await;
        self.cut.swaps.fetch_add(1, Ordering::SeqCst);
        // `self.cut` holds the sender, so waiting cannot fail.
        let _ = self.cut.holds_swaps.subscribe().wait_for(|holds| !holds).await;
        answer
    }

    fn scan(&self, pattern: &str) -> KeyStream {
        self.stores.key_value().scan(pattern)
    }
}

#[async_trait]
impl ChannelStore for Behind {
    async fn publish(&self, channel: &str, message: Bytes) -> Result<()> {
        self.cut.pass()?;
        self.executed(self.stores.channel().publish(channel, message)).await
    }

    async fn subscribe(&self, channel: &str) -> Result<Subscription> {
        self.cut.pass()?;
        let events = self.stores.channel().subscribe(channel).await?;
        let state = (events, self.cut.is_cut.subscribe(), false);
        Ok(stream::unfold(state, |(mut events, mut cut, mut was_cut)| async move {
            loop {
                let is_cut = *cut.borrow_and_update();
                if is_cut != was_cut {
                    was_cut = is_cut;
                    let event = if is_cut { ChannelEvent::Lost } else { ChannelEvent::Resumed };
                    return Some((event, (events, cut, was_cut)));
                }
                tokio::select! {
                    biased;
                    changed = cut.changed() => if changed.is_err() { return None },
                    event = events.next() => {
                        let event = event?;
                        // Messages sent while the connection is cut are lost.
                        if !is_cut && !*cut.borrow() {
                            return Some((event, (events, cut, was_cut)));
                        }
                    }
                }
            }
        })
        .boxed())
    }
}

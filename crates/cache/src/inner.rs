//! The state that all handles of a cache share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use compartment_core::backend::ReadMerger;
use compartment_core::{ChannelEvent, Database};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::error::Away;
use crate::first::tier::FirstTier;
use crate::load::flight::Flights;
use crate::message::{Message, News};
use crate::metrics::counters::{Metrics, add};
use crate::metrics::figures::CacheMetrics;
use crate::metrics::published::Published;
use crate::options::CacheOptions;
use crate::policy::CachePolicy;
use crate::second::breaker::Breaker;
use crate::second::pending_removals::PendingRemovals;
use crate::stamps::StampBook;
use crate::unique::unique;

/// The channel of the cache's messages, in its database.
pub(crate) const CHANNEL: &str = "cache";
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) database: Database,
    pub(crate) options: CacheOptions,
    /// The policies of `options`, shared by reads.
    pub(crate) policy: Arc<CachePolicy>,
    pub(crate) policies: HashMap<String, Arc<CachePolicy>>,
    /// What the first valid key's template calls the database.
    pub(crate) role: OnceLock<&'static str>,
    pub(crate) first: FirstTier,
    pub(crate) book: StampBook,
    pub(crate) flights: Arc<Flights>,
    pub(crate) breaker: Breaker,
    pub(crate) pending: PendingRemovals,
    pub(crate) reads: ReadMerger<Option<Bytes>, Away>,
    pub(crate) metrics: Metrics,
    /// The id of this process in messages.
    pub(crate) sender: u64,
    /// Incremented by every received message: loads that wait for another process look again.
    pub(crate) heard: watch::Sender<u64>,
    pub(crate) published: Published,
    /// Background tasks, aborted with the cache.
    tasks: Mutex<Vec<AbortHandle>>,
    /// Whether a task listens; `false` after its runtime has ended.
    pub(crate) listens: AtomicBool,
}

impl Inner {
    pub(crate) fn new(database: Database, options: CacheOptions) -> Self {
        let shared =
            |(name, policy): (&String, &CachePolicy)| (name.clone(), Arc::new(policy.clone()));
        Self {
            policy: Arc::new(options.policy.clone()),
            policies: options.policies.iter().map(shared).collect(),
            role: OnceLock::new(),
            first: FirstTier::new(options.first_tier_bytes),
            book: StampBook::default(),
            flights: Arc::default(),
            breaker: Breaker::new(options.breaker_failures, options.breaker_open_for),
            pending: PendingRemovals::new(options.pending_removals, database.unfinished().clone()),
            reads: ReadMerger::default(),
            metrics: Metrics::default(),
            sender: unique(),
            heard: watch::Sender::new(0),
            published: Published::nothing(),
            tasks: Mutex::default(),
            listens: AtomicBool::new(false),
            database,
            options,
        }
    }

    /// Aborts a task when the cache is dropped.
    pub(crate) fn keep_task(&self, task: AbortHandle) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    /// The metrics of this process.
    pub(crate) fn figures(&self) -> CacheMetrics {
        CacheMetrics {
            database: self.database.name().to_owned(),
            templates: self.metrics.templates(self.options.clock.monotonic()),
            first_tier_entries: self.first.len(),
            first_tier_bytes: self.first.bytes(),
            evicted: self.first.evicted(),
            invalidations: self.metrics.invalidations.load(Ordering::Relaxed),
            trusted: self.first.is_trusted(),
            distrusted: self.metrics.distrusted.load(Ordering::Relaxed),
            breaker: self.breaker.state(),
            breaker_opened: self.breaker.opened(),
            pending_removals: self.pending.len() as u64,
        }
    }

    pub(crate) fn hear(&self, event: &ChannelEvent) {
        match event {
            ChannelEvent::Message(bytes) => match Message::read(bytes) {
                Some(message) if message.sender == self.sender => return,
                Some(message) => self.take_in(message.news),
                // A newer version sent a message that this one cannot read.
                None => {
                    self.distrust();
                    self.first.trust();
                }
            },
            ChannelEvent::Resumed => {
                self.book.doubt_all();
                self.first.trust();
            }
            _ => self.distrust(),
        }
        self.heard.send_modify(|count| *count += 1);
    }

    fn take_in(&self, news: Vec<News>) {
        let mut forgot = false;
        for one in news {
            match one {
                News::Key(key) => self.first.written(&key),
                News::Stamp(name, stamp) => forgot |= self.book.note_heard(&name, stamp),
            }
        }
        if forgot {
            // Entries that were known to be invalid would only be doubtful, and served if the database is away.
            self.first.clear();
        }
    }

    /// Messages may have been missed: the first tier may be outdated.
    pub(crate) fn distrust(&self) {
        self.first.distrust();
        self.book.doubt_all();
        add(&self.metrics.distrusted, 1);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
        }
    }
}

//! Where a worker finds work: the batches of its pipelines, and the queues of their stages.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use compartment_core::{
    Backoff, BatchPlan, BatchStore, FencingToken, MonotonicInstant, Pauses, TaskClass,
};

use super::turns::Turns;
use crate::{BatchRecord, Engine};

/// How long a stage is left alone that was found without work.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(400));

/// A batch as this worker serves it.
#[derive(Clone, Debug)]
pub(super) struct BatchView {
    pub(super) record: BatchRecord,
    /// The token that the batch was born with.
    pub(super) born: FencingToken,
    /// For this batch, and no other that may be made under its name.
    pub(super) store: Arc<dyn BatchStore>,
    /// When this worker first saw it.
    pub(super) seen: MonotonicInstant,
    pub(super) engine: Engine,
    pub(super) plan: Arc<BatchPlan>,
    /// The stages that the worker serves: their places in the plan and in the pipeline.
    pub(super) stages: Vec<(usize, usize)>,
}

/// One place to claim from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Batch(Arc<BatchView>),
    /// The single tasks of a stage.
    Queue {
        name: Arc<str>,
        engine: Engine,
        index: usize,
    },
}

impl Source {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Batch(view) => &view.record.name,
            Self::Queue { name, .. } => name,
        }
    }

    fn turn(&self) -> (&str, TaskClass, MonotonicInstant) {
        match self {
            Self::Batch(view) => (&view.record.name, view.record.class, view.seen),
            Self::Queue { name, .. } => (name, TaskClass::Normal, MonotonicInstant::default()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Empty {
    until: MonotonicInstant,
    pauses: Pauses,
}

/// Every source, and when each was last served or found empty.
#[derive(Debug, Default)]
pub(super) struct Sources {
    batches: HashMap<String, Arc<BatchView>>,
    queues: Vec<Source>,
    turns: Turns,
    /// By source and place.
    empty: HashMap<(String, usize), Empty>,
    /// Batches that need nothing, and when to look again.
    finished: HashMap<String, MonotonicInstant>,
    /// Batches that a worker which ends with them has seen to the end: they may be removed by now.
    seen_to_the_end: HashSet<String>,
    /// Batches that such a worker is to finish, and that are not there.
    missing: Vec<String>,
}

impl Sources {
    pub(super) fn set_queues(&mut self, queues: Vec<Source>) {
        self.queues = queues;
    }

    /// All of them, in the order of their turns.
    pub(super) fn in_order(&self) -> Vec<Source> {
        let batches = self.batches.values().map(|view| Source::Batch(Arc::clone(view)));
        let all = batches.chain(self.queues.iter().cloned()).collect();
        self.turns.in_order(all, Source::turn)
    }

    pub(super) fn served(&mut self, source: &str, index: usize, now: MonotonicInstant) {
        self.turns.served(source, now);
        self.empty.remove(&(source.to_owned(), index));
    }

    /// Stages behind one that was served may have work now.
    pub(super) fn wake(&mut self, source: &str) {
        self.empty.retain(|(name, _), _| name != source);
    }

    pub(super) fn found_empty(&mut self, source: &str, index: usize, now: MonotonicInstant) {
        let empty = self
            .empty
            .entry((source.to_owned(), index))
            .or_insert(Empty { until: now, pauses: BACKOFF.pauses() });
        empty.until = now.after(empty.pauses.next_pause());
    }

    pub(super) fn may_have_work(&self, source: &str, index: usize, now: MonotonicInstant) -> bool {
        self.empty.get(&(source.to_owned(), index)).is_none_or(|empty| empty.until <= now)
    }

    pub(super) fn forget(&mut self, batch: &str) {
        self.batches.remove(batch);
        self.empty.retain(|(name, _), _| name != batch);
    }

    /// Whether all batches of these names need nothing any more.
    pub(super) fn are_finished(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.seen_to_the_end.contains(name))
    }

    /// The batch as it is served, if it is.
    pub(super) fn known(&self, batch: &str) -> Option<Arc<BatchView>> {
        self.batches.get(batch).cloned()
    }

    /// Whether a batch that needs nothing any more is left alone yet.
    pub(super) fn rests(&self, batch: &str, now: MonotonicInstant) -> bool {
        self.finished.get(batch).is_some_and(|again| *again > now)
    }

    /// Whether all of a batch was seen done.
    pub(super) fn was_seen_to_the_end(&self, batch: &str) -> bool {
        self.seen_to_the_end.contains(batch)
    }

    /// Serves a batch from now on.
    pub(super) fn serve(&mut self, batch: String, view: Arc<BatchView>) {
        self.finished.remove(&batch);
        self.seen_to_the_end.remove(&batch);
        self.batches.insert(batch, view);
    }

    /// A batch needs nothing any more, unless what is dead is retried: it is looked at again then.
    pub(super) fn finish(&mut self, batch: &str, again: MonotonicInstant) {
        self.seen_to_the_end.insert(batch.to_owned());
        self.forget(batch);
        self.finished.insert(batch.to_owned(), again);
    }

    /// Forgets the batches that are not `there`; `missing` are those that were to be finished.
    pub(super) fn keep_only(&mut self, there: &HashSet<String>, missing: Vec<String>) {
        self.missing = missing;
        let queues: HashSet<String> =
            self.queues.iter().map(|queue| queue.name().to_owned()).collect();
        let is_there = |name: &String| there.contains(name);
        self.batches.retain(|name, _| is_there(name));
        self.finished.retain(|name, _| is_there(name));
        self.empty.retain(|(name, _), _| is_there(name) || queues.contains(name));
        self.turns.retain(|name| is_there(&name.to_owned()) || queues.contains(name));
    }

    /// One of the batches that are to be finished, which is not there: it never was, or it was removed.
    pub(super) fn missing(&self) -> Option<&str> {
        self.missing.first().map(String::as_str)
    }
}

//! Where a worker finds work: the batches of its pipelines, and the queues of their stages.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use compartment_core::{
    BatchPlan, BatchStatus, BatchStore, ErrorKind, FencingToken, MonotonicInstant, Result,
    TaskClass,
};

use super::shared::Shared;
use super::turns::Turns;
use crate::{BatchRecord, BatchRegistry, Engine};

/// A stage that was found without work is left alone for this long, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// How often a batch is looked at that needs nothing any more.
const FINISHED_AGAIN: Duration = Duration::from_secs(10);

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
        place: usize,
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
    pause: Duration,
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

    pub(super) fn served(&mut self, source: &str, place: usize, now: MonotonicInstant) {
        self.turns.served(source, now);
        self.empty.remove(&(source.to_owned(), place));
    }

    /// Stages behind one that was served may have work now.
    pub(super) fn wake(&mut self, source: &str) {
        self.empty.retain(|(name, _), _| name != source);
    }

    pub(super) fn found_empty(&mut self, source: &str, place: usize, now: MonotonicInstant) {
        let empty = self
            .empty
            .entry((source.to_owned(), place))
            .and_modify(|empty| empty.pause = (empty.pause * 2).min(LONGEST_PAUSE))
            .or_insert(Empty { until: now, pause: FIRST_PAUSE });
        empty.until = now.after(empty.pause);
    }

    pub(super) fn may_have_work(&self, source: &str, place: usize, now: MonotonicInstant) -> bool {
        self.empty.get(&(source.to_owned(), place)).is_none_or(|empty| empty.until <= now)
    }

    pub(super) fn forget(&mut self, batch: &str) {
        self.batches.remove(batch);
        self.empty.retain(|(name, _), _| name != batch);
    }

    /// Whether all batches of these names need nothing any more.
    pub(super) fn are_finished(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.seen_to_the_end.contains(name))
    }

    /// One of the batches that are to be finished, which is not there: it never was, or it was removed.
    pub(super) fn missing(&self) -> Option<&str> {
        self.missing.first().map(String::as_str)
    }
}

/// Looks which batches there are and what they need; the completions that are due.
pub(super) async fn look(shared: &Shared) -> Result<Vec<Arc<BatchView>>> {
    let now = shared.clock.monotonic();
    let records = BatchRegistry::new(shared.batch.clone()).list().await?;
    let wanted = |record: &BatchRecord| {
        let wanted = shared.options.batches.as_ref();
        wanted.is_none_or(|wanted| wanted.contains(&record.name))
    };
    let records: Vec<BatchRecord> = records.into_iter().filter(wanted).collect();
    let there: HashSet<String> = records.iter().map(|record| record.name.clone()).collect();
    let mut completions = Vec::new();
    for record in records {
        let name = record.name.clone();
        let again = shared.sources().finished.get(&name).copied();
        if again.is_some_and(|again| again > now) {
            continue;
        }
        let Some(engine) = shared.engines.get(&record.pipeline) else { continue };
        // A batch that was just noted may not be made yet.
        let Some(progress) = shared.batch.batch().progress(&name).await? else { continue };
        let known = shared.sources().batches.get(&name).cloned();
        let view = match known {
            Some(view) if view.born == progress.born => view,
            _ => {
                let store = shared.batch.batch().born_as(progress.born);
                match store.plan(&name).await {
                    Ok(plan) => {
                        Arc::new(view_of(shared, record, engine, plan, progress.born, store))
                    }
                    // It was removed just now.
                    Err(error) if error.kind() == ErrorKind::Unknown => continue,
                    Err(error) => return Err(error),
                }
            }
        };
        match progress.status {
            BatchStatus::Open | BatchStatus::Sealed => {
                let mut sources = shared.sources();
                sources.finished.remove(&name);
                sources.seen_to_the_end.remove(&name);
                sources.batches.insert(name, view);
            }
            BatchStatus::Completed if progress.is_completing => {
                // Others are told once it is finished.
                shared.sources().forget(&name);
                completions.push(view);
            }
            _ => finish(shared, &name),
        }
    }
    let missing = missing(shared, &there).await?;
    let mut sources = shared.sources();
    sources.missing = missing;
    let queues: HashSet<String> =
        sources.queues.iter().map(|queue| queue.name().to_owned()).collect();
    sources.batches.retain(|name, _| there.contains(name));
    sources.finished.retain(|name, _| there.contains(name));
    sources.empty.retain(|(name, _), _| there.contains(name) || queues.contains(name));
    sources.turns.retain(|name| there.contains(name) || queues.contains(name));
    Ok(completions)
}

/// The batches that the worker is to finish and that are neither listed nor there.
async fn missing(shared: &Shared, listed: &HashSet<String>) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let wanted = shared.options.batches.as_ref().filter(|_| shared.options.until_finished);
    for name in wanted.into_iter().flatten().filter(|name| !listed.contains(*name)) {
        let is_over = shared.sources().seen_to_the_end.contains(name);
        if !is_over && shared.batch.batch().progress(name).await?.is_none() {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

/// A batch needs nothing any more, unless what is dead is retried.
fn finish(shared: &Shared, batch: &str) {
    let again = shared.clock.monotonic().after(FINISHED_AGAIN);
    let mut sources = shared.sources();
    sources.seen_to_the_end.insert(batch.to_owned());
    sources.forget(batch);
    sources.finished.insert(batch.to_owned(), again);
}

fn view_of(
    shared: &Shared,
    record: BatchRecord,
    engine: &Engine,
    plan: BatchPlan,
    born: FencingToken,
    store: Arc<dyn BatchStore>,
) -> BatchView {
    let pipeline = engine.pipeline();
    let places = plan.stages.iter().enumerate().filter_map(|(at, stage)| {
        let is_served = shared.serves(&stage.name);
        Some((at, pipeline.place(&stage.name)?)).filter(|_| is_served)
    });
    // The last stages first: documents are finished before others are begun.
    let mut stages: Vec<(usize, usize)> = places.collect();
    stages.reverse();
    let seen = shared.clock.monotonic();
    BatchView { record, born, store, seen, engine: engine.clone(), plan: Arc::new(plan), stages }
}

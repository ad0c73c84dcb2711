//! State shared by the parts of a worker.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compartment_core::{Clock, Database};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::held::Held;
use super::options::{Ended, WorkerOptions};
use super::overlap;
use super::registration::Running;
use super::sources::Sources;
use super::suspects::{Beside, Suspects, Way};
use crate::{Engine, Patience, StageError};

/// The phases of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Working,
    /// Nothing new is claimed; work in progress is finished.
    Draining(Ended),
    /// Unfinished work is no longer waited for.
    Ending(Ended),
}

pub(super) struct Shared {
    pub(super) options: WorkerOptions,
    pub(super) batch: Database,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) patience: Patience,
    /// By the name of the pipeline.
    pub(super) engines: HashMap<String, Engine>,
    pub(super) held: Held,
    pub(super) suspects: Suspects,
    pub(super) phase: watch::Sender<Phase>,
    /// Wakes idle lanes: there may be work.
    pub(super) work: Notify,
    /// Wakes the loop that reads the list of batches.
    pub(super) look: Notify,
    pub(super) figures: Figures,
    sources: Mutex<Sources>,
    pace: Mutex<HashMap<(String, usize), Pace>>,
    permits: HashMap<(String, usize), Arc<Semaphore>>,
}

/// Counters of a worker.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) done: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) handed_back: AtomicU64,
    running: Mutex<HashSet<Running>>,
}

impl Figures {
    /// The work in progress, earliest first.
    pub(super) fn running(&self) -> Vec<Running> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Running> = running.iter().cloned().collect();
        all.sort_by_key(|running| running.since);
        all
    }

    pub(super) fn count(&self, failed: Option<&StageError>) {
        let counter = if failed.is_some() { &self.failed } else { &self.done };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A document that is listed as in progress until this is dropped.
pub(super) struct Listed<'a> {
    figures: &'a Figures,
    running: Running,
}

impl Figures {
    pub(super) fn list(&self, running: Running) -> Listed<'_> {
        let mut all = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(running.clone());
        Listed { figures: self, running }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let mut running = self.figures.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.running);
    }
}

/// The time that a stage takes for a document in microseconds, and the size of the last claim.
#[derive(Clone, Copy, Debug)]
struct Pace {
    micros: f64,
    claimed: usize,
}

/// How long an ending worker may take for its last reports.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The target duration of one claim.
const CLAIM_TIME: Duration = Duration::from_millis(200);
impl Shared {
    pub(super) fn new(
        options: WorkerOptions,
        batch: Database,
        clock: Arc<dyn Clock>,
        patience: Patience,
        engines: HashMap<String, Engine>,
    ) -> Self {
        let mut permits = HashMap::new();
        for (name, engine) in &engines {
            for (index, stage) in engine.pipeline().all().iter().enumerate() {
                let limit = stage.options.concurrency.unwrap_or(options.concurrency);
                let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
                permits.insert((name.clone(), index), Arc::new(Semaphore::new(limit)));
            }
        }
        Self {
            options,
            batch,
            clock,
            patience,
            engines,
            held: Held::default(),
            suspects: Suspects::default(),
            phase: watch::Sender::new(Phase::Working),
            work: Notify::new(),
            look: Notify::new(),
            figures: Figures::default(),
            sources: Mutex::default(),
            pace: Mutex::default(),
            permits,
        }
    }

    pub(super) fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn serves(&self, stage: &str) -> bool {
        let wanted = self.options.stages.as_ref();
        wanted.is_none_or(|wanted| wanted.iter().any(|name| name == stage))
    }

    pub(super) fn is_working(&self) -> bool {
        *self.phase.borrow() == Phase::Working
    }

    /// Moves to a later phase, never back.
    pub(super) fn go_to(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_later = match (*now, phase) {
                (Phase::Working, later) => later != Phase::Working,
                (Phase::Draining(_), Phase::Ending(_)) => true,
                _ => false,
            };
            if is_later {
                *now = phase;
            }
            is_later
        });
        self.work.notify_waiters();
    }

    /// Resolves with the reason once work in progress is no longer waited for.
    pub(super) async fn must_end(&self) -> Ended {
        let mut phase = self.phase.subscribe();
        match phase.wait_for(|phase| matches!(phase, Phase::Ending(_))).await.map(|phase| *phase) {
            Ok(Phase::Ending(ended)) => ended,
            // The sender is in `self`, so it is not dropped.
            _ => std::future::pending().await,
        }
    }

    /// Resolves once even finished work need not be reported any more.
    pub(super) async fn gave_up(&self) {
        self.must_end().await;
        self.clock.sleep(LAST_WORDS).await;
    }

    /// Resolves once nothing new is claimed.
    pub(super) async fn not_working(&self) {
        let mut phase = self.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase != Phase::Working).await;
    }

    /// The right to claim, once no suspect is worked on; `None` if nothing is claimed any more.
    pub(super) async fn beside(&self) -> Option<Beside> {
        tokio::select! {
            biased;
            beside = self.suspects.beside() => Some(beside),
            () = self.not_working() => None,
        }
    }

    /// The way for what was claimed with `own`; `None` if nothing is claimed any more.
    pub(super) async fn way(&self, is_suspect: bool, own: Beside) -> Option<Way> {
        tokio::select! {
            biased;
            way = self.suspects.way(is_suspect, own) => Some(way),
            () = self.not_working() => None,
        }
    }

    /// Waits until another suspect is done, or nothing is claimed any more.
    pub(super) async fn until_suspect_is_done(&self) {
        tokio::select! {
            () = self.suspects.until_done() => {}
            () = self.not_working() => {}
        }
    }

    /// A permit to work at a stage, if one is free.
    pub(super) fn permit_for(&self, pipeline: &str, index: usize) -> Option<OwnedSemaphorePermit> {
        let permits = self.permits.get(&(pipeline.to_owned(), index))?;
        Arc::clone(permits).try_acquire_owned().ok()
    }

    /// How many documents to claim: one at first, then as many as fit in [`CLAIM_TIME`].
    pub(super) fn claim_size(&self, pipeline: &str, index: usize) -> usize {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pace) = pace.get_mut(&(pipeline.to_owned(), index)) else { return 1 };
        let limit = (CLAIM_TIME.as_micros() as f64 / pace.micros.max(1.0)) as usize;
        let limit = limit.clamp(1, self.options.max_at_once.max(1));
        limit.min(pace.claimed * 8)
    }

    /// How many documents of one claim are in progress at the same time: see [`overlap::fitting`].
    pub(super) fn overlap(&self, engine: &Engine, index: usize) -> usize {
        let lanes = self.options.concurrency.max(1);
        // Each engine has its own permits, and together they are what may be computed at the same time.
        let permits: usize = self.engines.values().map(Engine::concurrency).sum();
        let key = (engine.pipeline().name().to_owned(), index);
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        match pace {
            Some(pace) if permits <= lanes => overlap::fitting(engine, index, lanes, pace.micros),
            _ => 1,
        }
    }

    /// Records how long a number of documents took.
    pub(super) fn note_pace(&self, pipeline: &str, index: usize, documents: usize, took: Duration) {
        if documents == 0 {
            return;
        }
        let micros = took.as_micros() as f64 / documents as f64;
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.entry((pipeline.to_owned(), index))
            .and_modify(|pace| {
                // A slowdown counts more than a speed-up, so that claims shrink quickly.
                let weight = if micros > pace.micros { 0.5 } else { 0.2 };
                pace.micros += (micros - pace.micros) * weight;
                pace.claimed = documents;
            })
            .or_insert(Pace { micros, claimed: documents });
    }
}

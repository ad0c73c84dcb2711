//! The state of a batch in memory: facts as bits, and counts that only change with them.

mod events;
mod leases;
mod outbox;
mod settle;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{
    BatchEventKind, BatchFailure, BatchPlan, BatchProgress, BatchStatus, ClaimRequest,
    ClaimedDocument, FencingToken, MAX_ATTEMPTS, StageProgress, Timestamp,
};

use events::Events;
use outbox::Outbox;

/// The bytes counted for a document besides its entry.
const DOCUMENT_OVERHEAD: u64 = 32;

/// The state of one stage.
#[derive(Debug, Default)]
struct Stage {
    /// For a stage without dependencies: the first document that was never claimed.
    next: u32,
    /// Documents from there on that were restored as done or dead.
    restored: u32,
    /// Ready documents, claimed before those from `next` on.
    ready: VecDeque<u32>,
    /// Documents to retry, with the millisecond from which on.
    delayed: BTreeSet<(u64, u32)>,
    /// Failed attempts, by ordinal.
    tries: HashMap<u32, u8>,
    /// Expired leases, by ordinal.
    lost: HashMap<u32, u8>,
    done: u64,
    dead: u64,
    claimed: u64,
}

/// The documents of a claim.
#[derive(Debug)]
struct Held {
    stage: usize,
    /// In the order in which they were claimed.
    documents: VecDeque<u32>,
    /// Milliseconds since 1970.
    lease_ends: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completion {
    None,
    Due,
    Claimed { token: u64, lease_ends: u64 },
}

/// One batch.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The token the batch was born with; tokens of claims are greater.
    born: u64,
    plan: BatchPlan,
    status: BatchStatus,
    paused: bool,
    entries: Vec<Bytes>,
    bytes: u64,
    /// One bit for each stage, by ordinal.
    done: Vec<u16>,
    dead: Vec<u16>,
    stages: Vec<Stage>,
    held: HashMap<u64, Held>,
    /// By the end of their lease, then by token.
    leases: BTreeSet<(u64, u64)>,
    errors: BTreeMap<(usize, u32), String>,
    documents_done: u64,
    documents_dead: u64,
    last_token: u64,
    completion: Completion,
    /// The millisecond in which the batch ended.
    ended: Option<u64>,
    outbox: Outbox,
    events: Events,
    /// Documents that died in the current request.
    died: Vec<Died>,
    repairs: u64,
}

fn bit(stage: usize) -> u16 {
    1 << stage
}

/// Increments a document's count; returns the new value.
fn count(counts: &mut HashMap<u32, u8>, ordinal: u32) -> u8 {
    let count = counts.entry(ordinal).or_default();
    *count = (*count + 1).min(MAX_ATTEMPTS);
    *count
}

/// Documents that died in one stage with one error.
#[derive(Debug)]
pub(super) struct Died {
    pub(super) stage: usize,
    pub(super) error: String,
    pub(super) ordinals: Vec<u32>,
}

impl Batch {
    pub(crate) fn new(plan: BatchPlan, born: u64) -> Self {
        let stages = plan.stages.iter().map(|_| Stage::default()).collect();
        Self {
            born,
            plan,
            stages,
            status: BatchStatus::Open,
            paused: false,
            entries: Vec::new(),
            bytes: 0,
            done: Vec::new(),
            dead: Vec::new(),
            held: HashMap::new(),
            leases: BTreeSet::new(),
            errors: BTreeMap::new(),
            documents_done: 0,
            documents_dead: 0,
            last_token: born,
            completion: Completion::None,
            ended: None,
            outbox: Outbox::numbered_from(born),
            events: Events::numbered_from(born),
            died: Vec::new(),
            repairs: 0,
        }
    }

    pub(crate) fn born(&self) -> u64 {
        self.born
    }

    /// Whether a claim's token was issued by this batch, and not by an earlier one of its name.
    pub(crate) fn gave(&self, token: u64) -> bool {
        self.born < token && token <= self.last_token
    }

    pub(crate) fn plan(&self) -> &BatchPlan {
        &self.plan
    }

    pub(crate) fn weight(&self) -> u64 {
        let documents = self.bytes + self.entries.len() as u64 * DOCUMENT_OVERHEAD;
        documents + self.outbox.bytes() + self.events.bytes()
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(crate) fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    pub(crate) fn events_mut(&mut self) -> &mut Events {
        &mut self.events
    }

    pub(crate) fn is_open(&self) -> bool {
        self.status == BatchStatus::Open
    }

    pub(crate) fn has_room(&self, entries: &[Bytes]) -> bool {
        let more: u64 = entries.iter().map(|entry| entry.len() as u64).sum();
        self.plan.max_bytes.is_none_or(|max| self.bytes + more <= max)
    }

    /// Adds documents; returns the ordinal of the first.
    pub(crate) fn add(&mut self, entries: Vec<Bytes>) -> u32 {
        let first = self.total();
        for entry in entries {
            self.bytes += entry.len() as u64;
            self.entries.push(entry);
            self.done.push(0);
            self.dead.push(0);
        }
        self.tell(BatchEventKind::Submitted, (first..self.total()).collect(), None, None);
        first
    }

    pub(crate) fn total(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn seal(&mut self, now: u64) -> BatchStatus {
        if self.status == BatchStatus::Open {
            self.status = BatchStatus::Sealed;
            self.complete(now);
        }
        self.status
    }

    pub(crate) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(crate) fn cancel(&mut self, now: u64) -> BatchStatus {
        if self.status != BatchStatus::Completed {
            self.status = BatchStatus::Cancelled;
            self.ended.get_or_insert(now);
        }
        self.status
    }

    /// Completes a sealed batch if all its documents are settled; `true` if this call did.
    fn complete(&mut self, now: u64) -> bool {
        let settled = self.documents_done + self.documents_dead == self.entries.len() as u64;
        if self.status != BatchStatus::Sealed || !settled {
            return false;
        }
        self.status = BatchStatus::Completed;
        (self.completion, self.ended) = (Completion::Due, Some(now));
        self.tell(BatchEventKind::Completed, Vec::new(), None, None);
        true
    }

    fn next_token(&mut self, now: Timestamp) -> u64 {
        self.last_token = (self.last_token + 1).max(now.as_micros());
        self.last_token
    }

    pub(crate) fn claim(
        &mut self,
        request: &ClaimRequest,
        lease_millis: u64,
        now: Timestamp,
    ) -> Option<(FencingToken, Vec<ClaimedDocument>)> {
        self.take_up(now.as_millis());
        let works = matches!(self.status, BatchStatus::Open | BatchStatus::Sealed);
        if self.paused || !works {
            return None;
        }
        let at = request.stage;
        let is_root = self.plan.stages[at].after.is_empty();
        let total = self.total();
        let stage = &mut self.stages[at];
        let due: Vec<(u64, u32)> = stage
            .delayed
            .iter()
            .take_while(|(due, _)| *due <= now.as_millis())
            .take(request.max_documents)
            .copied()
            .collect();
        for one in due {
            stage.delayed.remove(&one);
            stage.ready.push_back(one.1);
        }
        let mut documents = Vec::new();
        while documents.len() < request.max_documents {
            let (ordinal, is_first) = match stage.ready.pop_front() {
                Some(ordinal) => (ordinal, false),
                None if is_root && stage.next < total => {
                    stage.next += 1;
                    (stage.next - 1, true)
                }
                None => break,
            };
            let lost = stage.lost.get(&ordinal).copied().unwrap_or(0);
            // It may have ended its worker, so it is claimed alone.
            let is_suspect = lost > 0;
            if is_suspect && !documents.is_empty() {
                stage.ready.push_front(ordinal);
                break;
            }
            let facts = self.done[ordinal as usize] | self.dead[ordinal as usize];
            if facts & bit(at) != 0 {
                stage.restored = stage.restored.saturating_sub(u32::from(is_first));
                continue;
            }
            let failed = stage.tries.get(&ordinal).copied().unwrap_or(0);
            let entry = self.entries[ordinal as usize].clone();
            documents.push(ClaimedDocument::new(ordinal, failed + 1, lost, entry));
            if is_suspect {
                break;
            }
        }
        if documents.is_empty() {
            return None;
        }
        stage.claimed += documents.len() as u64;
        let token = self.next_token(now);
        let lease_ends = now.as_millis().saturating_add(lease_millis);
        let held = documents.iter().map(|document| document.ordinal).collect();
        self.held.insert(token, Held { stage: at, documents: held, lease_ends });
        self.leases.insert((lease_ends, token));
        Some((FencingToken::from_number(token), documents))
    }

    pub(crate) fn progress(&self, now: Timestamp) -> BatchProgress {
        let mut progress = BatchProgress::new(self.status);
        progress.born = FencingToken::from_number(self.born);
        let since = |ended| Duration::from_millis(now.as_millis().saturating_sub(ended));
        progress.ended = self.ended.map(since);
        progress.is_paused = self.paused;
        progress.is_completing = !matches!(self.completion, Completion::None);
        progress.total = self.entries.len() as u64;
        progress.bytes = self.bytes;
        progress.done = self.documents_done;
        progress.dead = self.documents_dead;
        for (stage, planned) in self.stages.iter().zip(&self.plan.stages) {
            let to_come = self.total().saturating_sub(stage.next).saturating_sub(stage.restored);
            let unseen = if planned.after.is_empty() { to_come } else { 0 };
            let mut figures = StageProgress::default();
            figures.done = stage.done;
            figures.dead = stage.dead;
            figures.claimed = stage.claimed;
            figures.ready = stage.ready.len() as u64 + u64::from(unseen);
            figures.delayed = stage.delayed.len() as u64;
            progress.stages.push(figures);
        }
        progress
    }

    pub(crate) fn failures(&self) -> Vec<BatchFailure> {
        let failure = |((stage, ordinal), error): (&(usize, u32), &String)| {
            BatchFailure::new(*stage, *ordinal, error.clone())
        };
        self.errors.iter().map(failure).collect()
    }
}

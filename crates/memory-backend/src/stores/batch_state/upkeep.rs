//! The outbox, the restoration and the audit of a batch in memory.

use bytes::Bytes;
use compartment_core::backend::BatchFacts;
use compartment_core::{
    BatchAudit, BatchEventKind, BatchStatus, FencingToken, OutboxFact, RestoredFact,
};

use super::events::event;
use super::{Batch, Completion, Died, bit};

impl Batch {
    /// Records a fact in the outbox, if the batch has one.
    pub(super) fn keep(&mut self, fact: OutboxFact) {
        if self.plan.outbox {
            self.outbox.keep(fact);
        }
    }

    /// Publishes an event, if the batch keeps events.
    pub(super) fn tell(
        &mut self,
        kind: BatchEventKind,
        ordinals: Vec<u32>,
        stage: Option<usize>,
        error: Option<String>,
    ) {
        if self.plan.event_bytes > 0 {
            let stage = stage.map(|stage| self.plan.stages[stage].name.as_str());
            self.events.add(event(kind, ordinals, stage, error), self.plan.event_bytes);
        }
    }

    /// Publishes a `Failed` event for dead documents. If expired leases killed them, it also writes the
    /// outbox entry that no worker wrote.
    pub(super) fn tell_died(&mut self, was_lost: bool) {
        for Died { stage, error, mut ordinals } in std::mem::take(&mut self.died) {
            ordinals.sort_unstable();
            if was_lost {
                let (ordinals, error) = (ordinals.clone(), error.clone());
                self.keep(OutboxFact::Lost { stage, ordinals, error });
            }
            self.tell(BatchEventKind::Failed, ordinals, Some(stage), Some(error));
        }
    }

    pub(crate) fn entries(&self, from: u32, max: usize) -> Vec<Bytes> {
        self.entries.iter().skip(from as usize).take(max).cloned().collect()
    }

    /// Restores known outcomes of documents in a stage; returns how many were new.
    pub(crate) fn restore(&mut self, at: usize, facts: Vec<(u32, RestoredFact)>, now: u64) -> u64 {
        let mut news = 0;
        for (ordinal, fact) in facts {
            if ordinal >= self.total() {
                continue;
            }
            let is_news = match fact {
                RestoredFact::Done => self.finish(at, ordinal),
                RestoredFact::Dead { error } => self.bury(at, ordinal, error),
                _ => false,
            };
            news += u64::from(is_news);
            if is_news && self.is_unseen(at, ordinal) {
                self.stages[at].restored += 1;
            }
        }
        // A restored death needs no event: the caller knows about it.
        self.died.clear();
        if news > 0 {
            self.complete(now);
        }
        news
    }

    /// Whether the document has not been claimed yet in a stage without dependencies.
    pub(super) fn is_unseen(&self, at: usize, ordinal: u32) -> bool {
        self.plan.stages[at].after.is_empty() && ordinal >= self.stages[at].next
    }

    pub(crate) fn audit(&self) -> BatchAudit {
        let mut facts = BatchFacts::new(&self.plan, self.status);
        (facts.born, facts.repairs) = (FencingToken::from_number(self.born), self.repairs);
        (facts.done, facts.dead) = (self.done.clone(), self.dead.clone());
        let mut count = |name: String, count: u64| {
            facts.counted.insert(name, i64::try_from(count).unwrap_or(i64::MAX));
        };
        count("done".to_owned(), self.documents_done);
        count("dead".to_owned(), self.documents_dead);
        for (at, stage) in self.stages.iter().enumerate() {
            count(format!("done:{at}"), stage.done);
            count(format!("dead:{at}"), stage.dead);
            count(format!("claimed:{at}"), stage.claimed);
            count(format!("next:{at}"), stage.next.into());
            count(format!("restored:{at}"), stage.restored.into());
            let delayed = stage.delayed.iter().map(|(_, ordinal)| *ordinal);
            facts.waiting[at] = stage.ready.iter().copied().chain(delayed).collect();
        }
        for held in self.held.values() {
            facts.held[held.stage].extend(&held.documents);
        }
        facts.audit()
    }

    /// Repairs the findings of an audit; `false` if the batch was repaired since.
    pub(crate) fn repair(&mut self, audit: &BatchAudit, now: u64) -> bool {
        if (audit.born, audit.repairs) != (self.born, self.repairs) {
            return false;
        }
        self.repairs += 1;
        for drift in &audit.drift {
            self.correct(&drift.counter, drift.facts.saturating_sub(drift.counted));
        }
        for (at, ordinal) in audit.stranded.iter().copied() {
            let is_known = at < self.stages.len() && ordinal < self.total();
            if is_known && !self.is_settled(at, ordinal) && !self.is_unseen(at, ordinal) {
                self.stages[at].ready.push_back(ordinal);
            }
        }
        self.complete(now);
        true
    }

    /// Whether the batch has ended and is not needed any more.
    pub(crate) fn may_go(&self, now: u64) -> bool {
        let is_over = matches!(self.status, BatchStatus::Completed | BatchStatus::Cancelled);
        let is_finished = self.completion == Completion::None;
        let is_held = self.leases.iter().any(|(ends, _)| *ends > now);
        is_over && is_finished && !is_held && self.outbox.len() == 0
    }

    /// Whether the document is done or dead in the stage.
    pub(super) fn is_settled(&self, at: usize, ordinal: u32) -> bool {
        (self.done[ordinal as usize] | self.dead[ordinal as usize]) & bit(at) != 0
    }

    /// Adds to the count of this name.
    fn correct(&mut self, counter: &str, by: i64) {
        let small = i32::try_from(by).unwrap_or(if by < 0 { i32::MIN } else { i32::MAX });
        let (name, stage) = counter.split_once(':').unwrap_or((counter, ""));
        let stage = stage.parse().ok().and_then(|at: usize| self.stages.get_mut(at));
        let count = match (name, stage) {
            ("done", None) => &mut self.documents_done,
            ("dead", None) => &mut self.documents_dead,
            ("done", Some(stage)) => &mut stage.done,
            ("dead", Some(stage)) => &mut stage.dead,
            ("claimed", Some(stage)) => &mut stage.claimed,
            ("next", Some(stage)) => {
                stage.next = stage.next.saturating_add_signed(small);
                return;
            }
            ("restored", Some(stage)) => {
                stage.restored = stage.restored.saturating_add_signed(small);
                return;
            }
            _ => return,
        };
        *count = count.saturating_add_signed(by);
    }
}

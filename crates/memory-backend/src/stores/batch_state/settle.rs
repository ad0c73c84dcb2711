//! Settlements of a batch in memory: documents become done or dead, and later stages become ready.

use compartment_core::{BatchEventKind, BatchStatus, OutboxFact, Outcome, Settled, Settlement};

use super::{Batch, Completion, Died, bit, count};

impl Batch {
    pub(crate) fn settle(&mut self, settlement: Settlement, now: u64) -> Settled {
        let Settlement { stage: at, token, outcomes, note, .. } = settlement;
        let (mut settled, mut handed_back) = (Settled::default(), Vec::new());
        let (mut finished, mut refused) = (Vec::new(), Vec::new());
        let number = token.number();
        let is_current =
            self.held.get(&number).is_some_and(|held| held.stage == at && held.lease_ends > now);
        for (ordinal, outcome) in outcomes {
            let is_known = ordinal < self.total();
            let may = is_known && (is_current || outcome == Outcome::Done);
            let was_held = self.let_go(at, number, ordinal, may);
            let was_handed_back = outcome == Outcome::HandedBack;
            let counts = match outcome {
                _ if !is_known => false,
                Outcome::Done => {
                    let counts =
                        (was_held || self.was_lost(at, ordinal)) && self.finish(at, ordinal);
                    finished.extend(counts.then_some(ordinal));
                    counts
                }
                _ if !is_current || !was_held => false,
                Outcome::HandedBack => {
                    handed_back.push(ordinal);
                    true
                }
                // The worker that lost the document to this claim has finished it after all.
                _ if self.is_settled(at, ordinal) => false,
                Outcome::Retry { error, after } => {
                    if count(&mut self.stages[at].tries, ordinal) >= self.plan.max_attempts {
                        self.bury(at, ordinal, error)
                    } else {
                        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                        self.errors.insert((at, ordinal), error);
                        self.stages[at].delayed.insert((now.saturating_add(millis), ordinal));
                        true
                    }
                }
                Outcome::Dead { error } => self.bury(at, ordinal, error),
                _ => false,
            };
            settled.counted += u64::from(counts);
            if !counts && !was_handed_back {
                refused.push(ordinal);
            }
        }
        // Handing back needs no outbox entry.
        if settled.counted > handed_back.len() as u64 {
            refused.sort_unstable();
            self.keep(OutboxFact::Settled { stage: at, token, refused, note });
        }
        // In the order in which they were reported.
        for ordinal in handed_back.into_iter().rev() {
            self.stages[at].ready.push_front(ordinal);
        }
        if !finished.is_empty() {
            self.tell(BatchEventKind::StageDone, finished, Some(at), None);
        }
        self.tell_died(false);
        settled.is_completed = self.complete(now);
        settled
    }

    /// Whether a lease on the document expired before: only then does a success count that the claim does not hold.
    fn was_lost(&self, at: usize, ordinal: u32) -> bool {
        self.stages[at].lost.contains_key(&ordinal)
    }

    /// Removes a document from a claim if `may` is set; returns whether the claim held it.
    fn let_go(&mut self, at: usize, token: u64, ordinal: u32, may: bool) -> bool {
        let Some(held) = self.held.get_mut(&token).filter(|held| may && held.stage == at) else {
            return false;
        };
        // Usually the first one.
        let Some(place) = held.documents.iter().position(|held| *held == ordinal) else {
            return false;
        };
        held.documents.remove(place);
        self.stages[at].claimed -= 1;
        if held.documents.is_empty() {
            let lease_ends = held.lease_ends;
            self.held.remove(&token);
            self.leases.remove(&(lease_ends, token));
        }
        true
    }

    /// Marks a document as done in a stage; returns whether it was not done before.
    pub(super) fn finish(&mut self, at: usize, ordinal: u32) -> bool {
        let index = ordinal as usize;
        if self.is_settled(at, ordinal) {
            return false;
        }
        self.done[index] |= bit(at);
        self.stages[at].done += 1;
        self.errors.remove(&(at, ordinal));
        let facts = self.done[index];
        for (after, stage) in self.plan.stages.iter().enumerate() {
            // In a restored batch the later stage may be done already.
            let is_next = stage.after.contains(&at) && facts & bit(after) == 0;
            if is_next && stage.after.iter().all(|one| facts & bit(*one) != 0) {
                self.stages[after].ready.push_back(ordinal);
            }
        }
        if facts.count_ones() as usize == self.plan.stages.len() {
            self.documents_done += 1;
        }
        true
    }

    /// Marks a document as dead in a stage; returns whether it was not dead before.
    pub(super) fn bury(&mut self, at: usize, ordinal: u32, error: String) -> bool {
        let index = ordinal as usize;
        if (self.done[index] | self.dead[index]) & bit(at) != 0 {
            return false;
        }
        if self.dead[index] == 0 {
            self.documents_dead += 1;
        }
        self.dead[index] |= bit(at);
        self.stages[at].dead += 1;
        self.errors.insert((at, ordinal), error.clone());
        match self.died.iter_mut().find(|died| died.stage == at && died.error == error) {
            Some(died) => died.ordinals.push(ordinal),
            None => self.died.push(Died { stage: at, error, ordinals: vec![ordinal] }),
        }
        true
    }

    pub(crate) fn retry(&mut self, dead: Vec<(usize, u32)>, now: u64) -> u64 {
        let mut revived = 0;
        let mut retried = vec![Vec::new(); self.stages.len()];
        for (at, ordinal) in dead {
            let index = ordinal as usize;
            if at >= self.stages.len() || ordinal >= self.total() || self.dead[index] & bit(at) == 0
            {
                continue;
            }
            self.dead[index] &= !bit(at);
            if self.dead[index] == 0 {
                self.documents_dead -= 1;
            }
            let is_unseen = self.is_unseen(at, ordinal);
            let stage = &mut self.stages[at];
            stage.dead -= 1;
            stage.tries.remove(&ordinal);
            stage.lost.remove(&ordinal);
            if is_unseen {
                // It was restored as dead, and its turn is still to come.
                stage.restored = stage.restored.saturating_sub(1);
            } else {
                stage.ready.push_back(ordinal);
            }
            retried[at].push(ordinal);
            self.errors.remove(&(at, ordinal));
            revived += 1;
        }
        for (stage, mut ordinals) in retried.into_iter().enumerate() {
            if !ordinals.is_empty() {
                ordinals.sort_unstable();
                self.keep(OutboxFact::Retried { stage, ordinals });
            }
        }
        if revived > 0 && self.status == BatchStatus::Completed {
            // A document may still be dead in another stage.
            self.status = BatchStatus::Sealed;
            (self.completion, self.ended) = (Completion::None, None);
            self.complete(now);
        }
        revived
    }
}

//! How documents of a batch in memory become done or dead, and what follows from it.

use compartment_core::{BatchStatus, Outcome, Settled};

use super::{Batch, Completion, bit};

impl Batch {
    pub(crate) fn settle(
        &mut self,
        at: usize,
        token: u64,
        outcomes: Vec<(u32, Outcome)>,
        now: u64,
    ) -> Settled {
        let (mut settled, mut handed_back) = (Settled::default(), Vec::new());
        let is_current =
            self.held.get(&token).is_some_and(|held| held.stage == at && held.lease_ends > now);
        for (ordinal, outcome) in outcomes {
            if ordinal >= self.total() {
                continue;
            }
            let was_held = self.let_go(at, token, ordinal, is_current || outcome == Outcome::Done);
            let counts = match outcome {
                Outcome::Done => self.finish(at, ordinal),
                _ if !is_current || !was_held => false,
                Outcome::HandedBack => {
                    if let Some(tries) = self.stages[at].tries.get_mut(&ordinal) {
                        *tries = tries.saturating_sub(1);
                    }
                    handed_back.push(ordinal);
                    true
                }
                Outcome::Retry { error, after } => {
                    let tries = self.stages[at].tries.get(&ordinal).copied().unwrap_or(0);
                    if tries >= self.plan.max_attempts {
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
        }
        // In the order in which they were told.
        for ordinal in handed_back.into_iter().rev() {
            self.stages[at].ready.push_front(ordinal);
        }
        settled.completed = self.complete();
        settled
    }

    /// Takes a document off a claim, if it may; whether it was the claim's.
    fn let_go(&mut self, at: usize, token: u64, ordinal: u32, may: bool) -> bool {
        let Some(held) = self.held.get_mut(&token).filter(|held| may && held.stage == at) else {
            return false;
        };
        if !held.documents.remove(&ordinal) {
            return false;
        }
        self.stages[at].claimed -= 1;
        if held.documents.is_empty() {
            let lease_ends = held.lease_ends;
            self.held.remove(&token);
            self.leases.remove(&(lease_ends, token));
        }
        true
    }

    /// A stage is done with a document; whether that is news.
    fn finish(&mut self, at: usize, ordinal: u32) -> bool {
        let index = ordinal as usize;
        let was_tried = self.stages[at].tries.get(&ordinal).is_some_and(|tries| *tries > 0);
        if (self.done[index] | self.dead[index]) & bit(at) != 0 || !was_tried {
            return false;
        }
        self.done[index] |= bit(at);
        self.stages[at].done += 1;
        self.errors.remove(&(at, ordinal));
        let facts = self.done[index];
        for (after, stage) in self.plan.stages.iter().enumerate() {
            if stage.after.contains(&at) && stage.after.iter().all(|one| facts & bit(*one) != 0) {
                self.stages[after].ready.push_back(ordinal);
            }
        }
        if facts.count_ones() as usize == self.plan.stages.len() {
            self.documents_done += 1;
        }
        true
    }

    /// A document is dead of a stage; whether that is news.
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
        self.errors.insert((at, ordinal), error);
        true
    }

    pub(crate) fn retry(&mut self, dead: Vec<(usize, u32)>) -> u64 {
        let mut revived = 0;
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
            let stage = &mut self.stages[at];
            stage.dead -= 1;
            stage.tries.remove(&ordinal);
            stage.ready.push_back(ordinal);
            self.errors.remove(&(at, ordinal));
            revived += 1;
        }
        if revived > 0 && self.status == BatchStatus::Completed {
            // A document may still be dead of another stage.
            self.status = BatchStatus::Sealed;
            self.completion = Completion::None;
            self.complete();
        }
        revived
    }
}

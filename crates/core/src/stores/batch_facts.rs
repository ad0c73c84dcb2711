//! Compares a batch with itself: its counts with its bits, and its open documents with those that can be claimed.

use std::collections::BTreeMap;

use super::batch::BatchStatus;
use super::batch_plan::BatchPlan;
use super::batch_upkeep::{BatchAudit, CounterDrift};
use crate::FencingToken;

/// A consistent snapshot of a batch, as its backend stores it.
///
/// Counts are keyed by [`CounterDrift::counter`]; a missing one is 0.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchFacts<'a> {
    /// The token the batch was born with.
    pub born: FencingToken,
    /// The plan of the batch.
    pub plan: &'a BatchPlan,
    /// The batch's state.
    pub status: BatchStatus,
    /// How often it was repaired.
    pub repairs: u64,
    /// For each document one bit for each stage that is done; the first stage has the lowest bit.
    pub done: Vec<u16>,
    /// For each document the stages in which it died, as bits.
    pub dead: Vec<u16>,
    /// The stored counts.
    pub counted: BTreeMap<String, i64>,
    /// For each stage the documents that are ready or delayed, except those that were never claimed.
    pub waiting: Vec<Vec<u32>>,
    /// For each stage the claimed documents.
    pub held: Vec<Vec<u32>>,
}

impl<'a> BatchFacts<'a> {
    /// The facts of a batch without documents.
    #[must_use]
    pub fn new(plan: &'a BatchPlan, status: BatchStatus) -> Self {
        let none = vec![Vec::new(); plan.stages.len()];
        Self {
            born: FencingToken::from_number(0),
            plan,
            status,
            repairs: 0,
            done: Vec::new(),
            dead: Vec::new(),
            counted: BTreeMap::new(),
            waiting: none.clone(),
            held: none,
        }
    }

    /// Compares the counts with the bits, and finds stranded documents and a missed completion.
    #[must_use]
    pub fn audit(&self) -> BatchAudit {
        let mut audit = BatchAudit { total: self.done.len() as u64, ..BatchAudit::default() };
        (audit.born, audit.repairs) = (self.born.number(), self.repairs);
        let every = self.bits(0..self.plan.stages.len());
        let done = self.done.iter().filter(|bits| **bits == every).count();
        let dead = self.dead.iter().filter(|bits| **bits != 0).count();
        self.compare(&mut audit, "done".to_owned(), done);
        self.compare(&mut audit, "dead".to_owned(), dead);
        for stage in 0..self.plan.stages.len() {
            let bit = self.bits([stage]);
            for (name, bits, all) in
                [("done", &self.done, &mut audit.done), ("dead", &self.dead, &mut audit.dead)]
            {
                let (packed, set) = pack(bits, bit);
                all.push(packed);
                let drift = self.drift(format!("{name}:{stage}"), set);
                audit.drift.extend(drift);
            }
            self.compare(&mut audit, format!("claimed:{stage}"), self.held[stage].len());
            self.look_ahead(&mut audit, stage);
        }
        let is_settled = done + dead == self.done.len();
        audit.completion_missed = self.status == BatchStatus::Sealed && is_settled;
        audit
    }

    /// Compares the counts of documents that were never claimed, and finds the stranded documents.
    fn look_ahead(&self, audit: &mut BatchAudit, stage: usize) {
        let (total, bit) = (self.done.len(), self.bits([stage]));
        let after = &self.plan.stages[stage].after;
        let mut handed_out = total;
        if after.is_empty() {
            let next = usize::try_from(self.count(&format!("next:{stage}"))).unwrap_or(0);
            handed_out = next.min(total);
            self.compare(audit, format!("next:{stage}"), handed_out);
            let known = (handed_out..total).filter(|at| self.settled(*at) & bit != 0).count();
            self.compare(audit, format!("restored:{stage}"), known);
        }
        let needed = self.bits(after.iter().copied());
        let mut within_reach = vec![false; total];
        for ordinal in self.waiting[stage].iter().chain(&self.held[stage]) {
            if let Some(reached) = within_reach.get_mut(*ordinal as usize) {
                *reached = true;
            }
        }
        let is_open =
            |at: &usize| self.settled(*at) & bit == 0 && self.done[*at] & needed == needed;
        let stranded = (0..handed_out).filter(|at| is_open(at) && !within_reach[*at]);
        audit.stranded.extend(stranded.map(|at| (stage, u32::try_from(at).unwrap_or(u32::MAX))));
    }

    fn settled(&self, at: usize) -> u16 {
        self.done[at] | self.dead.get(at).copied().unwrap_or(0)
    }

    fn bits(&self, stages: impl IntoIterator<Item = usize>) -> u16 {
        stages.into_iter().fold(0, |bits, stage| bits | 1_u16 << stage)
    }

    fn count(&self, name: &str) -> i64 {
        self.counted.get(name).copied().unwrap_or(0)
    }

    fn drift(&self, name: String, facts: usize) -> Option<CounterDrift> {
        let (counted, facts) = (self.count(&name), i64::try_from(facts).unwrap_or(i64::MAX));
        (counted != facts).then(|| CounterDrift::new(name, counted, facts))
    }

    fn compare(&self, audit: &mut BatchAudit, name: String, facts: usize) {
        audit.drift.extend(self.drift(name, facts));
    }
}

/// One stage's bits, with the first document as the highest bit of the first byte, and how many are set.
fn pack(all: &[u16], bit: u16) -> (Vec<u8>, usize) {
    let mut packed = vec![0_u8; all.len().div_ceil(8)];
    let mut set = 0;
    for (at, _) in all.iter().enumerate().filter(|(_, bits)| **bits & bit != 0) {
        packed[at / 8] |= 0x80 >> (at % 8);
        set += 1;
    }
    (packed, set)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three documents of two stages: done, claimed for the second stage, and never claimed.
    fn facts(plan: &BatchPlan) -> BatchFacts<'_> {
        let mut facts = BatchFacts::new(plan, BatchStatus::Sealed);
        facts.done = vec![0b11, 0b01, 0];
        facts.dead = vec![0; 3];
        facts.held[1] = vec![1];
        let counted = [("done", 1), ("done:0", 2), ("done:1", 1), ("claimed:1", 1), ("next:0", 2)];
        facts.counted = counted.map(|(name, count)| (name.to_owned(), count)).into();
        facts
    }

    #[test]
    fn what_agrees_is_clean_and_bits_are_packed_by_stage() {
        let plan = BatchPlan::chain(&["extract", "chunk"]);
        let audit = facts(&plan).audit();
        assert!(audit.is_clean(), "{audit:?}");
        assert_eq!((audit.total, audit.done), (3, vec![vec![0b1100_0000], vec![0b1000_0000]]));
        assert_eq!(audit.dead, [[0], [0]]);
    }

    #[test]
    fn each_difference_is_found_by_its_name() {
        let plan = BatchPlan::chain(&["extract", "chunk"]);
        let mut facts = facts(&plan);
        facts.held[1].clear();
        facts.dead[2] = 0b01;
        facts.counted.insert("next:0".to_owned(), 9);
        let audit = facts.audit();
        let drift = |name: &str, counted, facts| CounterDrift::new(name, counted, facts);
        let wanted = [
            drift("dead", 0, 1),
            drift("dead:0", 0, 1),
            drift("next:0", 9, 3),
            drift("claimed:1", 1, 0),
        ];
        assert_eq!(audit.drift, wanted);
        assert_eq!(audit.stranded, [(1, 1)]);
        assert!(!audit.completion_missed);
        facts.done[1] = 0b11;
        assert!(facts.audit().completion_missed);
    }
}

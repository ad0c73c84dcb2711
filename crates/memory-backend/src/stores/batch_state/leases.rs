//! Leases of a batch in memory: renewed, handed back, and reclaimed after they have expired.

use compartment_core::Timestamp;

use super::{Batch, Completion, count};

/// The maximum number of expired leases that one claim reclaims.
const RECLAIMED_AT_ONCE: usize = 4;

impl Batch {
    /// Hands back the documents of expired leases.
    pub(super) fn take_up(&mut self, now: u64) {
        let ended: Vec<(u64, u64)> = self
            .leases
            .iter()
            .take_while(|(ends, _)| *ends <= now)
            .take(RECLAIMED_AT_ONCE)
            .copied()
            .collect();
        if ended.is_empty() {
            return;
        }
        for one in ended {
            self.leases.remove(&one);
            let Some(held) = self.held.remove(&one.1) else { continue };
            let at = held.stage;
            self.stages[at].claimed -= held.documents.len() as u64;
            for ordinal in held.documents.into_iter().rev() {
                if self.is_settled(at, ordinal) {
                    continue;
                }
                let lost = count(&mut self.stages[at].lost, ordinal);
                if lost >= self.plan.max_lost {
                    let error = format!("no worker settled it within its lease, {lost} times");
                    self.bury(at, ordinal, error);
                } else {
                    self.stages[at].ready.push_front(ordinal);
                }
            }
        }
        self.tell_died(true);
        self.complete(now);
    }

    /// Hands back the documents or the completion of a claim.
    pub(crate) fn release(&mut self, token: u64, now: u64) -> bool {
        if matches!(
            self.completion,
            Completion::Claimed { token: of, lease_ends } if of == token && lease_ends > now
        ) {
            self.completion = Completion::Due;
            return true;
        }
        if self.held.get(&token).is_none_or(|held| held.lease_ends <= now) {
            return false;
        }
        let Some(held) = self.held.remove(&token) else { return false };
        self.leases.remove(&(held.lease_ends, token));
        let stage = &mut self.stages[held.stage];
        stage.claimed -= held.documents.len() as u64;
        for ordinal in held.documents.into_iter().rev() {
            stage.ready.push_front(ordinal);
        }
        true
    }

    pub(crate) fn renew(&mut self, token: u64, lease_millis: u64, now: u64) -> bool {
        if let Completion::Claimed { token: of, lease_ends } = &mut self.completion
            && *of == token
            && *lease_ends > now
        {
            *lease_ends = now.saturating_add(lease_millis);
            return true;
        }
        let Some(held) = self.held.get_mut(&token).filter(|held| held.lease_ends > now) else {
            return false;
        };
        self.leases.remove(&(held.lease_ends, token));
        held.lease_ends = now.saturating_add(lease_millis);
        self.leases.insert((held.lease_ends, token));
        true
    }

    pub(crate) fn claim_completion(&mut self, lease_millis: u64, now: Timestamp) -> Option<u64> {
        let millis = now.as_millis();
        let is_due = match self.completion {
            Completion::None => false,
            Completion::Due => true,
            Completion::Claimed { lease_ends, .. } => lease_ends <= millis,
        };
        if !is_due {
            return None;
        }
        let token = self.next_token(now);
        let lease_ends = millis.saturating_add(lease_millis);
        self.completion = Completion::Claimed { token, lease_ends };
        Some(token)
    }

    pub(crate) fn finish_completion(&mut self, token: u64, now: u64) -> bool {
        let is_current = matches!(
            self.completion,
            Completion::Claimed { token: held, lease_ends } if held == token && lease_ends > now
        );
        if is_current {
            (self.completion, self.ended) = (Completion::None, Some(now));
        }
        is_current
    }
}

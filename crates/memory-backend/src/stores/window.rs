//! The log of a rate limit: one entry an acquisition, with running totals, so that no answer walks it.

use std::collections::VecDeque;

/// Permits given, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    entries: VecDeque<Given>,
    /// All permits that were ever given.
    total: u64,
    /// The longest window, in milliseconds, that anybody has asked with: entries are kept for it.
    kept: u64,
}

#[derive(Clone, Copy, Debug)]
struct Given {
    /// Milliseconds since the epoch.
    at: u64,
    /// All permits that had been given before it.
    before: u64,
    /// Those given up to its end.
    after: u64,
}

impl Window {
    /// How many permits were given after `edge`.
    pub(crate) fn used_after(&self, edge: u64) -> u64 {
        let first = self.entries.partition_point(|given| given.at <= edge);
        self.entries.get(first).map_or(0, |given| self.total - given.before)
    }

    /// When the `nth` (from 1) oldest permit after `edge` was given.
    pub(crate) fn nth_after(&self, edge: u64, nth: u64) -> Option<u64> {
        let first = self.entries.partition_point(|given| given.at <= edge);
        let wanted = self.entries.get(first)?.before + nth;
        let place = self.entries.partition_point(|given| given.after < wanted);
        self.entries.get(place).map(|given| given.at)
    }

    /// Notes that somebody asks with a window of `millis`, and forgets what no window holds any more;
    /// how long entries are kept.
    pub(crate) fn keep_for(&mut self, millis: u64, now: u64) -> u64 {
        self.kept = self.kept.max(millis);
        let edge = now.saturating_sub(self.kept);
        while self.entries.front().is_some_and(|given| given.at <= edge) {
            self.entries.pop_front();
        }
        self.kept
    }

    /// Notes `permits` given at `now`.
    pub(crate) fn give(&mut self, now: u64, permits: u64) {
        let before = self.total;
        self.total += permits;
        match self.entries.back_mut() {
            Some(last) if last.at >= now => last.after = self.total,
            _ => self.entries.push_back(Given { at: now, before, after: self.total }),
        }
    }

    /// Notes that somebody asks with a window of `millis` and is given nothing; until when the entries are
    /// kept from now on, if that is longer than before.
    pub(crate) fn asked_with(&mut self, millis: u64, now: u64) -> Option<u64> {
        if millis <= self.kept {
            return None;
        }
        let kept = self.keep_for(millis, now);
        self.entries.back().map(|given| given.at.saturating_add(kept))
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_answer_what_a_walk_over_the_log_would() {
        let mut window = Window::default();
        for (at, permits) in [(50, 1), (75, 1), (75, 3), (100, 2)] {
            window.give(at, permits);
        }
        assert_eq!(window.len(), 3);
        assert_eq!(
            (window.used_after(0), window.used_after(50), window.used_after(100)),
            (7, 6, 0)
        );
        assert_eq!(window.nth_after(0, 1), Some(50));
        assert_eq!(window.nth_after(0, 5), Some(75));
        assert_eq!(window.nth_after(0, 6), Some(100));
        assert_eq!(window.nth_after(50, 4), Some(75));
        assert_eq!(window.nth_after(0, 8), None);
    }

    #[test]
    fn a_shorter_window_forgets_nothing_that_a_longer_one_counts() {
        let mut window = Window::default();
        assert_eq!(window.keep_for(1_000, 1_000), 1_000);
        window.give(1_000, 5);
        assert_eq!(window.keep_for(10, 1_500), 1_000);
        assert_eq!(window.used_after(500), 5);
        assert_eq!(window.asked_with(900, 1_600), None);
        assert_eq!(window.asked_with(1_200, 1_600), Some(2_200));
        window.keep_for(10, 2_200);
        assert_eq!((window.used_after(500), window.len()), (0, 0));
    }
}

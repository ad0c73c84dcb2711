//! The log of a rate limit: one entry for each acquisition, with running totals, so that no answer needs to walk it.

use std::collections::VecDeque;

/// Granted permits, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    entries: VecDeque<Given>,
    /// The total of all permits granted so far.
    total: u64,
    /// The longest window used so far, in milliseconds: entries are kept for it.
    kept: u64,
}

#[derive(Clone, Copy, Debug)]
struct Given {
    /// Milliseconds since the epoch.
    at: u64,
    /// The total before this entry.
    before: u64,
    /// The total after this entry.
    after: u64,
}

impl Window {
    /// The number of permits granted after `edge`.
    pub(crate) fn used_after(&self, edge: u64) -> u64 {
        let first = self.entries.partition_point(|given| given.at <= edge);
        self.entries.get(first).map_or(0, |given| self.total - given.before)
    }

    /// When the `nth` (from 1) oldest permit after `edge` was granted.
    pub(crate) fn nth_after(&self, edge: u64, nth: u64) -> Option<u64> {
        let first = self.entries.partition_point(|given| given.at <= edge);
        let wanted = self.entries.get(first)?.before + nth;
        let place = self.entries.partition_point(|given| given.after < wanted);
        self.entries.get(place).map(|given| given.at)
    }

    /// Records a window of `millis`, and removes entries that no window needs; returns how long entries are kept.
    pub(crate) fn keep_for(&mut self, millis: u64, now: u64) -> u64 {
        self.kept = self.kept.max(millis);
        let edge = now.saturating_sub(self.kept);
        while self.entries.front().is_some_and(|given| given.at <= edge) {
            self.entries.pop_front();
        }
        self.kept
    }

    /// Records `permits` granted at `now`.
    pub(crate) fn give(&mut self, now: u64, permits: u64) {
        let before = self.total;
        self.total += permits;
        match self.entries.back_mut() {
            Some(last) if last.at >= now => last.after = self.total,
            _ => self.entries.push_back(Given { at: now, before, after: self.total }),
        }
    }

    /// Records a window of `millis` of a refused request. Returns until when the entries are kept now, if that is
    /// longer than before.
    pub(crate) fn asked_with(&mut self, millis: u64, now: u64) -> Option<u64> {
        if millis <= self.kept {
            return None;
        }
        let kept = self.keep_for(millis, now);
        self.entries.back().map(|given| given.at.saturating_add(kept))
    }

    /// The number of entries.
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

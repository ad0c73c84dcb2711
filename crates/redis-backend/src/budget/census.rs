//! The size of a database in bytes, estimated by an endless walk over its keys.
//!
//! The keys of the last cycle are counted exactly, minus those evicted since. The rest of `DBSIZE` are keys that the
//! walk cannot have met yet; they are assumed to be like the keys that this process has written since the walk
//! passed, or like the others if it wrote none.

use std::collections::VecDeque;

/// Writes recorded separately; further ones are merged.
const MAX_NOTES: usize = 1_024;
/// From this number of written keys on, their mean is used.
const ENOUGH_WRITTEN: f64 = 16.0;

/// With fewer measured keys left, the mean of the last measurement is used.
const ENOUGH_MEASURED: u64 = 16;

/// One step of the walk.
#[derive(Clone, Copy, Debug)]
struct Step {
    cycle: u64,
    start: f64,
    end: f64,
    keys: u64,
    bytes: u64,
}

/// The writes of this process between two steps.
#[derive(Clone, Copy, Debug)]
struct Note {
    /// The progress of the walk at that time.
    progress: f64,
    keys: u64,
    bytes: u64,
}

/// Sums and means of the keys in a database.
#[derive(Debug, Default)]
pub(crate) struct Census {
    steps: VecDeque<Step>,
    /// The number of the first of `steps`.
    first_step: u64,
    cursor: u64,
    cycle: u64,
    /// Sums over `steps`.
    keys: u64,
    bytes: u64,
    /// The mean when keys were measured last: when all of them have been evicted, the others are taken to be alike.
    last_mean: f64,
    /// The last known `DBSIZE`.
    database_keys: u64,
    notes: VecDeque<Note>,
}

impl Census {
    /// The cursor of the next step.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Records a step of the walk to `cursor`; returns its number.
    pub(crate) fn met(&mut self, cursor: u64, keys: u64, bytes: u64, database_keys: u64) -> u64 {
        let end = if cursor == 0 { 1.0 } else { position(cursor) };
        self.steps.push_back(Step {
            cycle: self.cycle,
            start: position(self.cursor),
            end,
            keys,
            bytes,
        });
        self.keys += keys;
        self.bytes += bytes;
        if keys > 0 {
            self.last_mean = self.bytes as f64 / self.keys as f64;
        }
        self.database_keys = database_keys;
        let number = self.first_step + self.steps.len() as u64 - 1;
        self.forget_until(end);
        self.cursor = cursor;
        if cursor == 0 {
            self.cycle += 1;
        }
        let progress = self.progress();
        while self.notes.front().is_some_and(|note| progress - note.progress >= 1.0) {
            self.notes.pop_front();
        }
        number
    }

    /// Forgets what the previous cycle measured in the part of the keys that this one has passed.
    fn forget_until(&mut self, end: f64) {
        while let Some(first) = self.steps.front_mut() {
            let (keys, bytes) = match self.cycle - first.cycle {
                0 => return,
                1 if first.start >= end => return,
                // Passed in part: forget a share of its keys, assuming that they are evenly distributed.
                1 if first.end > end => {
                    let part = (end - first.start) / (first.end - first.start);
                    first.start = end;
                    ((first.keys as f64 * part) as u64, (first.bytes as f64 * part) as u64)
                }
                _ => (first.keys, first.bytes),
            };
            self.keys -= keys;
            self.bytes -= bytes;
            if first.start < end || first.cycle + 1 < self.cycle {
                self.steps.pop_front();
                self.first_step += 1;
            } else {
                first.keys -= keys;
                first.bytes -= bytes;
                return;
            }
        }
    }

    /// Records the writes of this process since the last step.
    pub(crate) fn wrote(&mut self, keys: u64, bytes: u64) {
        let progress = self.progress();
        let is_full = self.notes.len() >= MAX_NOTES;
        match self.notes.back_mut() {
            Some(last) if is_full || last.progress == progress => {
                last.keys += keys;
                last.bytes += bytes;
            }
            _ => self.notes.push_back(Note { progress, keys, bytes }),
        }
    }

    /// Removes a key of `bytes` that the walk met at `step` and that no longer exists.
    pub(crate) fn removed(&mut self, step: u64, bytes: u64) {
        let at = step.checked_sub(self.first_step).and_then(|at| usize::try_from(at).ok());
        if let Some(step) = at.and_then(|at| self.steps.get_mut(at)) {
            let (keys, bytes) = (step.keys.min(1), step.bytes.min(bytes));
            step.keys -= keys;
            step.bytes -= bytes;
            self.keys -= keys;
            self.bytes -= bytes;
        }
    }

    /// Records the number of keys.
    pub(crate) fn counted(&mut self, database_keys: u64) {
        self.database_keys = database_keys;
    }

    /// The last known number of keys.
    pub(crate) fn database_keys(&self) -> u64 {
        self.database_keys
    }

    /// The mean size of a key in bytes.
    pub(crate) fn mean(&self) -> f64 {
        if self.keys < ENOUGH_MEASURED {
            self.last_mean
        } else {
            self.bytes as f64 / self.keys as f64
        }
    }

    /// The size of the database in bytes.
    pub(crate) fn used(&self) -> u64 {
        let mean = self.mean();
        if self.cycle == 0 {
            return (mean * self.database_keys as f64) as u64;
        }
        let unmet = self.database_keys as f64 - self.keys as f64;
        // Fewer keys than were met: others were deleted, evicted or expired, and it is unknown which.
        let of_each = if unmet > 0.0 { self.mean_written().unwrap_or(mean) } else { mean };
        (self.bytes as f64 + unmet * of_each + self.growth()).max(0.0) as u64
    }

    /// Bytes by which overwritten keys may have grown since the walk met them.
    pub(crate) fn growth(&self) -> f64 {
        let (keys, _) = self.unmet_writes();
        let new = (self.database_keys as f64 - self.keys as f64).max(0.0);
        let mean = self.mean();
        match self.mean_written() {
            // A smaller difference may be chance, and would only ever add bytes.
            Some(written) if written > 1.5 * mean => (keys - new).max(0.0) * (written - mean),
            _ => 0.0,
        }
    }

    /// The mean size of the keys that this process wrote and the walk has not met.
    fn mean_written(&self) -> Option<f64> {
        let (keys, bytes) = self.unmet_writes();
        (keys >= ENOUGH_WRITTEN).then(|| bytes / keys)
    }

    /// The expected number and bytes of this process's writes that the walk has not passed since.
    fn unmet_writes(&self) -> (f64, f64) {
        let progress = self.progress();
        self.notes.iter().fold((0.0, 0.0), |(keys, bytes), note| {
            let unmet = (1.0 - (progress - note.progress)).max(0.0);
            (keys + unmet * note.keys as f64, bytes + unmet * note.bytes as f64)
        })
    }

    /// The number of cycles, including the completed part of the current one.
    pub(crate) fn progress(&self) -> f64 {
        self.cycle as f64 + position(self.cursor)
    }
}

/// The share of the keys before a cursor, 0 to 1. A server walks its table by counting with the bits of the cursor
/// reversed, whatever the table's size.
fn position(cursor: u64) -> f64 {
    cursor.reverse_bits() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cursor after `part` of 16 parts.
    fn cursor(part: u64) -> u64 {
        (part % 16).reverse_bits() >> 60
    }

    #[test]
    fn the_last_cycle_is_what_counts() {
        let mut census = Census::default();
        for part in 1..=16 {
            census.met(cursor(part), 10, 1_000, 160);
        }
        assert_eq!((census.cycle, census.used()), (1, 16_000));
        for part in 1..=8 {
            census.met(cursor(part), 10, 3_000, 160);
        }
        assert_eq!(census.used(), 8 * 1_000 + 8 * 3_000);
        for part in 9..=16 {
            census.met(cursor(part), 10, 3_000, 160);
        }
        assert_eq!((census.cycle, census.used()), (2, 48_000));
    }

    #[test]
    fn before_the_first_cycle_is_over_the_mean_counts_for_all() {
        let mut census = Census::default();
        census.met(cursor(4), 10, 1_000, 100);
        assert_eq!(census.used(), 10_000);
    }

    #[test]
    fn new_keys_are_like_those_written_here() {
        let mut census = Census::default();
        census.met(0, 100, 10_000, 100);
        census.wrote(50, 50 * 700);
        census.counted(150);
        assert_eq!(census.used(), 10_000 + 50 * 700);
        // Nothing was written here: like all others.
        let mut census = Census::default();
        census.met(0, 100, 10_000, 150);
        assert_eq!(census.used(), 15_000);
    }

    #[test]
    fn what_was_evicted_and_what_others_removed_is_gone() {
        let mut census = Census::default();
        let step = census.met(0, 100, 10_000, 100);
        census.removed(step, 500);
        census.counted(99);
        assert_eq!(census.used(), 9_500);
        census.counted(0);
        assert_eq!(census.used(), 0, "somebody emptied the database");
    }

    #[test]
    fn keys_that_were_not_measured_are_like_those_that_were_evicted() {
        for cursor in [cursor(4), 0] {
            let mut census = Census::default();
            let step = census.met(cursor, 10, 1_000, 100);
            (0..10).for_each(|_| census.removed(step, 100));
            census.counted(90);
            assert_eq!(census.used(), 9_000);
        }
    }

    #[test]
    fn a_key_that_is_written_over_by_a_larger_one_has_grown() {
        let mut census = Census::default();
        census.met(0, 100, 10_000, 100);
        census.wrote(40, 40 * 1_000);
        assert_eq!(census.used(), 10_000 + 40 * 900);
        // The walk has come by half of them.
        census.met(cursor(8), 50, 5_000 + 20 * 900, 100);
        assert_eq!(census.growth() as u64, 20 * (1_000 - census.mean() as u64));
        census.met(0, 50, 5_000 + 20 * 900, 100);
        assert_eq!(census.used(), 10_000 + 40 * 900);
    }
}

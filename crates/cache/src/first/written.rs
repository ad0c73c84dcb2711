//! A value that this process has just written to the database goes into the first tier.

use std::sync::Arc;

use crate::cache::{Cache, Terms};
use crate::first::tier::{Moment, NewEntry, SharedValue};
use crate::life::{Moment64, Times};
use crate::second::envelope::StampSeen;

/// What was written, and whether the database is known to have it.
pub(crate) struct Written {
    pub(crate) value: SharedValue,
    pub(crate) times: Times,
    pub(crate) stamps: Vec<StampSeen>,
    /// Bytes of the encoded value before compression.
    pub(crate) bytes: u64,
    /// The database was not asked, or did not answer.
    pub(crate) is_blind: bool,
}

impl Cache {
    /// Keeps a written value in the process, if the key's policy has a first tier and nothing newer has been
    /// written since `moment`.
    pub(crate) fn keep_in_process(
        &self,
        key: &str,
        terms: &Terms,
        written: Written,
        moment: Moment,
    ) {
        if !terms.policy.first_tier {
            return;
        }
        let Written { value, times, stamps, bytes, is_blind } = written;
        let now = Moment64::of(self.inner.options.clock.monotonic());
        let fresh_until = now.after(times.fresh_until.since(times.created));
        let new = NewEntry {
            value,
            created: times.created,
            eager_at: terms.policy.eager_at(times, now),
            fresh_until,
            serve_until: self.serve_until(fresh_until, is_blind, now),
            stamps,
            counters: Arc::clone(&terms.counters),
            bytes,
        };
        self.inner.first.put(key, new, moment);
    }
}

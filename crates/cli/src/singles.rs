//! Groups of one key each, which tables show together in one row.

use crate::screen;

/// Fewer groups get their own rows.
const LEAST: u64 = 4;

/// The number of the groups, and their memory in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Singles {
    groups: u64,
    bytes: u64,
}

impl Singles {
    /// Sums up these groups; `None` if there are few.
    pub(crate) fn of<T>(groups: impl Iterator<Item = T>, bytes: impl Fn(T) -> u64) -> Option<Self> {
        let mut all = Self::default();
        for group in groups {
            all.groups += 1;
            all.bytes += bytes(group);
        }
        (all.groups >= LEAST).then_some(all)
    }

    /// The cells for name, keys and memory.
    pub(crate) fn cells(&self) -> (String, String, String) {
        let groups = screen::count(self.groups);
        (format!("{groups} groups of one key"), groups, compartment_admin::size(self.bytes))
    }
}

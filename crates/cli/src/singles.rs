//! Groups of one key each, which a table has in one row: a plan of forty lines says less than one.

use crate::screen;

/// Fewer have their own rows.
const LEAST: u64 = 4;

/// How many there are, and their memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Singles {
    groups: u64,
    bytes: u64,
}

impl Singles {
    /// These groups together; `None` where they are few.
    pub(crate) fn of<T>(groups: impl Iterator<Item = T>, bytes: impl Fn(T) -> u64) -> Option<Self> {
        let mut all = Self::default();
        for group in groups {
            all.groups += 1;
            all.bytes += bytes(group);
        }
        (all.groups >= LEAST).then_some(all)
    }

    /// What stands for their names, their keys, their memory.
    pub(crate) fn cells(&self) -> (String, String, String) {
        let groups = screen::count(self.groups);
        (format!("{groups} groups of one key"), groups, compartment_admin::size(self.bytes))
    }
}

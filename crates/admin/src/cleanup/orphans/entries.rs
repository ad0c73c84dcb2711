//! Entries of queues that name jobs without data.

use super::members::existing;
use super::report::OrphanGroup;
use super::work::{Removal, Work, entry_name};
use crate::Result;

pub(super) const REMOVE_ENTRY: &str = include_str!("../../lua/remove_entry.lua");

/// An entry of a list or a sorted set, and the keys that its job may have.
pub(super) struct Entry<'a> {
    pub(super) member: &'a [u8],
    pub(super) jobs: Vec<Vec<u8>>,
}

/// Takes the entries of `key` whose job is gone; those of a list that is too long to search are only reported.
pub(super) async fn take_without_job(
    work: &mut Work<'_>,
    group: &mut OrphanGroup,
    key: &[u8],
    entries: Vec<Entry<'_>>,
    is_long: bool,
) -> Result<()> {
    let (members, jobs): (Vec<&[u8]>, Vec<Vec<Vec<u8>>>) =
        entries.into_iter().map(|entry| (entry.member, entry.jobs)).unzip();
    let there = existing(work, &jobs).await?;
    let mut removals = Vec::new();
    for ((member, jobs), _) in members.iter().zip(&jobs).zip(&there).filter(|(_, n)| **n == 0) {
        let name = entry_name(key, member);
        group.shown(&name);
        if is_long {
            group.unsure += 1;
            group.note("entries of very long lists are only reported");
            continue;
        }
        group.entries += 1;
        let keys = std::iter::once(key).chain(jobs.iter().map(Vec::as_slice));
        let keys: Vec<&[u8]> = keys.collect();
        let mut command = work.script(REMOVE_ENTRY, keys.into_iter());
        command.arg(*member);
        removals.push(Removal { name, command });
    }
    work.remove(group, removals).await
}

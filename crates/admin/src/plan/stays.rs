//! Finds keys that a flush may not remove, because a plan keeps them.

use super::{Group, Plan, Verdict};
use crate::escape;
use crate::patterns::Selector;

/// Maximum number of groups in an error.
const SHOWN: usize = 5;

/// Counts names of a plan's groups that stay or have not moved yet.
#[derive(Debug)]
pub(crate) struct Stays<'a> {
    plan: &'a str,
    groups: &'a [Group],
    selector: Selector,
    prefix: Vec<u8>,
    /// Whether the keys of each group must be kept.
    kept: Vec<bool>,
    counts: Vec<u64>,
    /// Number of names in no group, which are newer than the plan; counted only if all keys would
    /// be removed.
    unplanned: Option<u64>,
    example: Option<String>,
}

impl<'a> Stays<'a> {
    /// For a flush of the keys that match `patterns`; all keys if empty.
    pub(crate) fn of(name: &'a str, plan: &'a Plan, patterns: &[String]) -> Self {
        // Keys of a drained group that are still here have not moved yet. An operator who gives
        // exactly the group's pattern means these keys.
        let is_named = |group: &Group| group.patterns.iter().any(|one| patterns.contains(one));
        let is_kept = |group: &Group| match group.verdict {
            Verdict::Stay => true,
            Verdict::Drain => !is_named(group),
            Verdict::Move => false,
        };
        Self {
            plan: name,
            groups: &plan.groups,
            selector: plan.selector(),
            prefix: crate::unescape(&plan.source.prefix),
            kept: plan.groups.iter().map(is_kept).collect(),
            counts: vec![0; plan.groups.len()],
            unplanned: patterns.is_empty().then_some(0),
            example: None,
        }
    }

    /// Counts a name, given as on the server.
    pub(crate) fn add(&mut self, name: &[u8]) {
        let Some(own) = name.strip_prefix(self.prefix.as_slice()) else { return };
        match (self.selector.first_match(own), &mut self.unplanned) {
            (Some(group), _) if self.kept[group] => self.counts[group] += 1,
            (None, Some(unplanned)) => *unplanned += 1,
            _ => return,
        }
        self.example.get_or_insert_with(|| escape(name));
    }

    /// Why the flush is refused; `None` if none of its keys stays.
    pub(crate) fn refusal(&self, place: &str) -> Option<String> {
        let unplanned = self.unplanned.unwrap_or(0);
        let keys: u64 = self.counts.iter().sum::<u64>() + unplanned;
        let example = self.example.as_ref()?;
        let mut found: Vec<(&Group, u64)> =
            self.groups.iter().zip(self.counts.iter().copied()).filter(|(_, n)| *n > 0).collect();
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut names: Vec<String> = found
            .iter()
            .take(SHOWN)
            .map(|(group, count)| {
                let why = match group.verdict {
                    Verdict::Drain => ", not moved yet",
                    _ => "",
                };
                format!("{} ({count}{why})", group.name)
            })
            .collect();
        if found.len() > SHOWN {
            names.push(format!("and {} more groups", found.len() - SHOWN));
        }
        if unplanned > 0 {
            names.push(format!("keys in no group ({unplanned})"));
        }
        let (keys, stay) = match keys {
            1 => ("1 key".to_owned(), "stays"),
            keys => (format!("{keys} keys"), "stay"),
        };
        Some(format!(
            "{keys} of {place} {stay} there according to {}, such as {example}: {}; select the keys \
             of groups that have moved with --pattern, or change the plan, or move its file away",
            self.plan,
            names.join(", ")
        ))
    }
}

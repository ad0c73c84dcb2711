//! What a dry run counted, and how a change is bound to it.

use std::sync::Arc;

use compartment::lock::FencingToken;
use compartment::queue::TaskId;
use compartment_admin::{CountedNames, MemorySettings};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Lines of [`super::PlannedChange::touches`].
pub(super) const MAX_TOUCHES: usize = 12;
/// The most names that a plan keeps, at 16 bytes each.
pub(super) const MAX_NAMES: usize = 1_000_000;

/// What a dry run counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) summary: String,
    pub(super) touches: Vec<String>,
    pub(super) count: u64,
    pub(super) digest: String,
    pub(super) server: String,
    pub(super) refusals: Vec<String>,
    pub(super) dry_run: Value,
    pub(super) before: Value,
    pub(super) bound: Bound,
}

/// The very things that were counted. A change touches no others.
#[derive(Clone, Debug, Default)]
pub(super) enum Bound {
    /// Nothing by name.
    #[default]
    Nothing,
    /// The batch that was born with this token.
    Batch(FencingToken),
    /// Failed documents of the batch that was born with this token, by stage and number.
    Failures(FencingToken, Arc<Vec<(usize, u32)>>),
    /// Dead letters by queue.
    DeadLetters(Arc<Vec<(String, Vec<TaskId>)>>),
    /// Keys.
    Keys(Arc<CountedNames>),
    /// The settings of each node.
    Settings(Vec<MemorySettings>),
}

impl Bound {
    /// How many names it keeps.
    pub(super) fn names(&self) -> usize {
        match self {
            Self::Keys(names) => names.len(),
            Self::Failures(_, failures) => failures.len(),
            Self::DeadLetters(queues) => queues.iter().map(|(_, ids)| ids.len()).sum(),
            _ => 0,
        }
    }
}

/// A digest of texts in 32 hexadecimal digits.
pub(super) fn digest<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut sum = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        // With its length, so that no two lists of texts read alike.
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part);
    }
    sum.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of the largest groups, and a line that says how many more there are.
pub(super) fn lines(mut groups: Vec<(String, u64)>, noun: &str) -> Vec<String> {
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = groups.len().saturating_sub(MAX_TOUCHES);
    let shown = if more > 0 { MAX_TOUCHES - 1 } else { MAX_TOUCHES };
    let rest: u64 = groups.iter().skip(shown).map(|(_, count)| count).sum();
    let line = |(name, count): &(String, u64)| format!("{name}: {}", crate::counted(*count, noun));
    let mut lines: Vec<String> = groups.iter().take(shown).map(line).collect();
    if more > 0 {
        lines.push(format!("{} more groups: {}", more + 1, crate::counted(rest, noun)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_texts_have_digests_of_their_own() {
        assert_eq!(digest(["a", "b"]), digest(["a", "b"]));
        assert_ne!(digest(["a", "b"]), digest(["ab", ""]));
        assert_eq!(digest(["a"]).len(), 32);
    }

    #[test]
    fn many_groups_are_twelve_lines() {
        let groups = |count: u64| (0..count).map(|at| (format!("g{at}"), at + 1)).collect();
        assert_eq!(lines(groups(12), "key").len(), MAX_TOUCHES);
        let many = lines(groups(20), "key");
        assert_eq!((many.len(), many[0].as_str()), (MAX_TOUCHES, "g19: 20 keys"));
        assert_eq!(many[11], "9 more groups: 45 keys");
    }
}

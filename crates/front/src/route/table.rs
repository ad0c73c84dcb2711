//! The patterns of a view, found by their literal beginnings.

use compartment_core::KeyPattern;

/// An ordered list of patterns, each with a value. The first that matches a key decides.
///
/// The literal beginnings form a tree with labels of several bytes. A key walks down it once, so that patterns of
/// other beginnings cost nothing, however many there are.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    entries: Vec<(KeyPattern, T)>,
    nodes: Vec<Node>,
}

/// A beginning that patterns share.
#[derive(Clone, Debug, Default)]
struct Node {
    /// The bytes behind those of its parent.
    label: Vec<u8>,
    /// The entries whose literal ends here, in order.
    entries: Vec<usize>,
    /// The first bytes of the labels of its children, in order.
    firsts: Vec<u8>,
    /// The children, as `firsts`.
    children: Vec<usize>,
}

impl<T> Table<T> {
    pub(super) fn new(entries: Vec<(KeyPattern, T)>) -> Self {
        let mut literals: Vec<(&[u8], usize)> =
            entries.iter().enumerate().map(|(at, (pattern, _))| (pattern.literal(), at)).collect();
        literals.sort_unstable();
        let mut nodes = Vec::new();
        // The root has no label, so that keys of any beginning enter it.
        add(&mut nodes, &literals, 0, 0);
        Self { entries, nodes }
    }

    /// Whether it has no patterns.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The position and the value of the first pattern that matches.
    pub(super) fn find(&self, key: &[u8]) -> Option<(usize, &T)> {
        let mut best: Option<usize> = None;
        let (mut node, mut rest) = (self.nodes.first()?, key);
        loop {
            // A literal further down is longer, but its entry may be an earlier one.
            let before = best.unwrap_or(usize::MAX);
            let earlier = node.entries.iter().copied().take_while(|at| *at < before);
            let fits = |at: &usize| self.entries.get(*at).is_some_and(|(p, _)| p.matches(key));
            best = earlier.into_iter().find(fits).or(best);
            let Some(first) = rest.first() else { break };
            let Ok(at) = node.firsts.binary_search(first) else { break };
            let Some(child) = node.children.get(at).and_then(|child| self.nodes.get(*child)) else {
                break;
            };
            let Some(behind) = rest.strip_prefix(child.label.as_slice()) else { break };
            (node, rest) = (child, behind);
        }
        let at = best?;
        self.entries.get(at).map(|(_, value)| (at, value))
    }
}

/// Adds the node of `literals`, which are sorted, not empty, and have their first `from` bytes in common. Its label
/// begins at `from` and takes at most the bytes that they have in common; the root's is empty. A pattern's length
/// bounds the depth.
fn add(nodes: &mut Vec<Node>, literals: &[(&[u8], usize)], from: usize, common: usize) -> usize {
    let here = nodes.len();
    let ends = literals.partition_point(|(literal, _)| literal.len() <= common);
    let (ending, longer) = literals.split_at(ends);
    let label = literals.first().and_then(|(literal, _)| literal.get(from..common));
    nodes.push(Node {
        label: label.unwrap_or_default().to_vec(),
        entries: ending.iter().map(|(_, at)| *at).collect(),
        ..Node::default()
    });
    let byte = |literal: &[u8]| literal.get(common).copied().unwrap_or_default();
    for group in longer.chunk_by(|(one, _), (other, _)| byte(one) == byte(other)) {
        let (Some((first, _)), Some((last, _))) = (group.first(), group.last()) else { continue };
        // They are sorted, so what the first and the last have in common, all have.
        let shared = first.iter().zip(*last).take_while(|(one, other)| one == other).count();
        let child = add(nodes, group, common, shared);
        if let Some(node) = nodes.get_mut(here) {
            node.firsts.push(byte(first));
            node.children.push(child);
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(patterns: &[&str]) -> Table<usize> {
        let parsed = patterns.iter().map(|text| KeyPattern::parse(text).unwrap());
        Table::new(parsed.zip(0..).collect())
    }

    fn found(table: &Table<usize>, key: &str) -> Option<usize> {
        table.find(key.as_bytes()).map(|(at, _)| at)
    }

    #[test]
    fn the_first_pattern_decides_whatever_its_length() {
        let table = table(&["page:*", "page:1*", "p*", "page:", "queue"]);
        for (key, at) in [
            ("page:1", Some(0)),
            ("page", Some(2)),
            ("page:", Some(0)),
            ("queue", Some(4)),
            ("queues", None),
            ("", None),
        ] {
            assert_eq!(found(&table, key), at, "{key}");
        }
    }

    #[test]
    fn a_table_without_patterns_finds_nothing() {
        let table = table(&[]);
        assert!(table.is_empty());
        assert_eq!(found(&table, "a"), None);
    }

    #[test]
    fn beginnings_that_contain_each_other_may_be_as_deep_as_a_pattern_is_long() {
        let texts: Vec<String> = (1..=1_024).rev().map(|length| "a".repeat(length)).collect();
        let table = table(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found(&table, "aaa"), Some(1_021));
        assert_eq!(found(&table, &"a".repeat(2_000)), None);
    }

    proptest! {
        #[test]
        fn the_tree_finds_as_a_walk_through_all_patterns_does(
            texts in prop::collection::vec("[ab]{0,4}(\\*|\\?|\\{x\\}|a)[ab]{0,2}", 0..12),
            keys in prop::collection::vec("[abc]{0,8}", 24),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let table = table(&texts);
            for key in keys {
                let matches = |text: &&str| KeyPattern::parse(text).unwrap().matches(key.as_bytes());
                prop_assert_eq!(found(&table, &key), texts.iter().position(matches), "{}", key);
            }
        }
    }
}

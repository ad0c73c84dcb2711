//! Finds the first of many selections that a name matches.

use std::collections::HashMap;

use compartment_core::backend::glob_matches;

/// The keys of one group: they match a glob, and none of the exceptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Redis globs over raw names.
    pub(crate) globs: Vec<Vec<u8>>,
    /// Keys that match one of these are excluded.
    pub(crate) except: Vec<Vec<u8>>,
}

/// Ordered [`Selection`]s, indexed so that a name costs much less than a match with every glob.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    except: Vec<Vec<Vec<u8>>>,
    /// Globs without a special character, with the first selection that has each.
    exact: HashMap<Vec<u8>, usize>,
    /// By a name's first byte, in order; the last list is for the empty name.
    by_first: Vec<Vec<Compiled>>,
}

#[derive(Clone, Debug)]
struct Compiled {
    selection: usize,
    /// The literal prefix of matching names.
    head: Vec<u8>,
    /// How they begin and how they end, as far as a comparison of two words tells.
    begin: Edge,
    end: Edge,
    /// The complete glob, unless it is just the head and a `*`.
    glob: Option<Vec<u8>>,
}

impl Compiled {
    /// Whether `name`, which begins and ends like this, matches.
    fn matches(&self, name: &[u8], (begin, end): (Edge, Edge)) -> bool {
        self.begin.fits(begin)
            && self.end.fits(end)
            && name.starts_with(&self.head)
            && self.glob.as_ref().is_none_or(|glob| glob_matches(glob, name))
    }
}

/// The first or the last bytes of a text in one word, so that most names are told apart without a call: a name is held
/// against some fifty globs. The byte at the edge is the lowest.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    word: u64,
    /// The bits that count.
    mask: u64,
}

impl Edge {
    fn begin(text: &[u8]) -> Self {
        Self::read(text.iter())
    }

    fn end(text: &[u8]) -> Self {
        Self::read(text.iter().rev())
    }

    fn read<'a>(bytes: impl Iterator<Item = &'a u8>) -> Self {
        let mut edge = Self::default();
        for (at, byte) in bytes.take(size_of::<u64>()).enumerate() {
            edge.word |= u64::from(*byte) << (8 * at);
            edge.mask |= 0xff << (8 * at);
        }
        edge
    }

    /// How `name` begins and ends.
    fn of(name: &[u8]) -> (Self, Self) {
        (Self::begin(name), Self::end(name))
    }

    /// Whether a name with this edge may match.
    fn fits(self, name: Self) -> bool {
        (self.word ^ name.word) & self.mask == 0 && self.mask & !name.mask == 0
    }
}

const EMPTY_NAME: usize = 256;

impl Selector {
    /// Indexes `selections`; for each name the first match counts.
    #[must_use]
    pub(crate) fn new(selections: &[Selection]) -> Self {
        let mut exact: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut by_first = vec![Vec::new(); 257];
        for (selection, one) in selections.iter().enumerate() {
            for glob in &one.globs {
                let (head, rest) = head(glob);
                // An exact name with exceptions may belong to a later selection, so it is matched
                // in order.
                if rest.is_empty() && one.except.is_empty() {
                    exact.entry(head).or_insert(selection);
                    continue;
                }
                let glob = (rest != b"*").then(|| glob.clone());
                let first = head.first().copied();
                let end = glob.as_ref().map_or(Edge::default(), |glob| Edge::end(tail(glob)));
                let compiled = Compiled { selection, begin: Edge::begin(&head), end, head, glob };
                match first {
                    Some(byte) => by_first[usize::from(byte)].push(compiled),
                    None => by_first.iter_mut().for_each(|list| list.push(compiled.clone())),
                }
            }
        }
        let except = selections.iter().map(|one| one.except.clone()).collect();
        Self { except, exact, by_first }
    }

    /// The index of the first selection that `name` belongs to.
    #[must_use]
    pub(crate) fn first_match(&self, name: &[u8]) -> Option<usize> {
        let exact = self.exact.get(name).copied();
        let list = &self.by_first[name.first().map_or(EMPTY_NAME, |byte| usize::from(*byte))];
        let edges = Edge::of(name);
        for compiled in list {
            if exact.is_some_and(|exact| exact < compiled.selection) {
                return exact;
            }
            let matches = compiled.matches(name, edges);
            if matches && !self.is_excepted(compiled.selection, name) {
                return Some(compiled.selection);
            }
        }
        exact
    }

    /// Calls `found` with the indexes of all selections that `name` belongs to, unordered and
    /// perhaps repeated.
    pub(crate) fn all_matches(&self, name: &[u8], mut found: impl FnMut(usize)) {
        if let Some(exact) = self.exact.get(name) {
            found(*exact);
        }
        let list = &self.by_first[name.first().map_or(EMPTY_NAME, |byte| usize::from(*byte))];
        let edges = Edge::of(name);
        for compiled in list {
            let matches = compiled.matches(name, edges);
            if matches && !self.is_excepted(compiled.selection, name) {
                found(compiled.selection);
            }
        }
    }

    fn is_excepted(&self, selection: usize, name: &[u8]) -> bool {
        self.except[selection].iter().any(|glob| glob_matches(glob, name))
    }
}

/// The literal prefix of a glob, and the rest from the first special character on.
fn head(glob: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut head = Vec::new();
    let mut at = 0;
    while let Some(&byte) = glob.get(at) {
        match byte {
            b'*' | b'?' | b'[' => break,
            b'\\' if at + 1 < glob.len() => {
                head.push(glob[at + 1]);
                at += 2;
            }
            _ => {
                head.push(byte);
                at += 1;
            }
        }
    }
    (head, &glob[at..])
}

/// The literal suffix of a glob: what follows its last special character, if no character before it can make that
/// literal special or the suffix a part of a class.
fn tail(glob: &[u8]) -> &[u8] {
    if glob.iter().any(|byte| matches!(byte, b'[' | b'\\')) {
        return &[];
    }
    let last = glob.iter().rposition(|byte| matches!(byte, b'*' | b'?'));
    last.map_or(glob, |last| &glob[last + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(globs: &[&str], except: &[&str]) -> Selection {
        let bytes = |list: &[&str]| list.iter().map(|glob| glob.as_bytes().to_vec()).collect();
        Selection { globs: bytes(globs), except: bytes(except) }
    }

    #[test]
    fn the_first_that_matches_counts() {
        let selector = Selector::new(&[
            one(&["a:*:text"], &["a:0:*"]),
            one(&["queues", ""], &[]),
            one(&["a:*", r"\*star"], &[]),
            one(&["*"], &[]),
        ]);
        for (name, expected) in [
            ("a:1:text", 0),
            ("a:0:text", 2),
            ("a:1", 2),
            ("queues", 1),
            ("", 1),
            ("*star", 2),
            ("zstar", 3),
        ] {
            assert_eq!(selector.first_match(name.as_bytes()), Some(expected), "{name:?}");
        }
    }

    /// Pieces of globs and names.
    fn bits() -> impl Strategy<Value = String> {
        prop::collection::vec(
            prop::sample::select(vec!["a", "b", ":", "*", "?", r"\*", "[ab]", "[^a]", r"\"]),
            0..5,
        )
        .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn it_agrees_with_trying_each(
            list in prop::collection::vec(
                (prop::collection::vec(bits(), 1..3), prop::collection::vec(bits(), 0..2)), 0..5),
            name in "[ab:*]{0,4}",
        ) {
            let selections: Vec<Selection> = list.iter().map(|(globs, except)| {
                let bytes = |list: &[String]| list.iter().map(|g| g.clone().into_bytes()).collect();
                Selection { globs: bytes(globs), except: bytes(except) }
            }).collect();
            let name = name.as_bytes();
            let plain = selections.iter().position(|one| {
                one.globs.iter().any(|glob| glob_matches(glob, name))
                    && !one.except.iter().any(|glob| glob_matches(glob, name))
            });
            prop_assert_eq!(Selector::new(&selections).first_match(name), plain);
        }
    }
}

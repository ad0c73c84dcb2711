//! Learns patterns from a stream of names in bounded memory.
//!
//! The names form a tree of segments, whose children become a placeholder when there are too many
//! to be words.

use std::collections::HashMap;

use super::token::{Token, is_version_word, tokens};
use super::{Class, Pattern};

/// A pattern, and the number of names it was learnt from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Learned {
    /// The pattern.
    pub(crate) pattern: Pattern,
    /// Names that led to it. Another pattern's glob may match some of them: use a
    /// [`super::Selector`] for exact counts.
    pub(crate) keys: u64,
}

/// Different words kept under one node before the rarer half becomes a placeholder.
const MAX_WORDS: usize = 64;
/// Different words kept as the first segment, which is often a program's own prefix.
const MAX_FIRST_WORDS: usize = 256;
/// Different numbers under one node that may still be versions or priorities.
const MAX_NUMBERS: usize = 8;
/// Nodes of the whole tree, about 150 bytes each.
const MAX_NODES: usize = 16_384;
/// Maximum number of patterns in the result; the keys of rarer ones are left to `*`.
const MAX_PATTERNS: usize = 100;

#[derive(Debug, Default)]
struct Node {
    /// Names that pass through this node.
    count: u64,
    /// Names that end here.
    ends: u64,
    words: HashMap<Word, u32>,
    kinds: Vec<(Kind, u32)>,
}

/// A child with a fixed text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Word {
    separator: Option<u8>,
    text: Box<[u8]>,
}

/// A child that is a placeholder for many texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    separator: Option<u8>,
    class: Class,
}

impl Word {
    fn is_number(&self) -> bool {
        !self.text.is_empty() && self.text.iter().all(u8::is_ascii_digit)
    }

    fn kind(&self) -> Kind {
        let class = if self.is_number() { Class::Integer } else { Class::Text };
        Kind { separator: self.separator, class }
    }
}

/// Collects names and finds their patterns.
#[derive(Debug)]
pub(crate) struct Learner {
    nodes: Vec<Node>,
    free: Vec<u32>,
    max_words: usize,
    /// The tree is full and cannot be generalised further, so no node is added.
    full: bool,
}

impl Default for Learner {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], free: Vec::new(), max_words: MAX_WORDS, full: false }
    }
}

const ROOT: u32 = 0;

impl Learner {
    /// Adds a name.
    pub(crate) fn add(&mut self, name: &[u8]) {
        let mut list = Vec::new();
        tokens(name, &mut list);
        let mut at = ROOT;
        self.node(ROOT).count += 1;
        for token in &list {
            let Some(child) = self.child(at, token) else { return };
            at = child;
            self.node(at).count += 1;
        }
        self.node(at).ends += 1;
        while self.nodes() > MAX_NODES && !self.full {
            self.full = self.max_words == 2;
            self.max_words = (self.max_words / 2).max(2);
            self.shrink(ROOT);
        }
    }

    /// Number of nodes of the tree, which bounds its memory.
    #[must_use]
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// The patterns, the most specific first: a key has to be compared with their globs in this
    /// order.
    #[must_use]
    pub(crate) fn finish(mut self) -> Vec<Learned> {
        self.tidy(ROOT, 0, false);
        let mut found = Vec::new();
        self.collect(ROOT, &Pattern::default(), &mut found);
        merge_equal(found)
    }

    fn node(&mut self, at: u32) -> &mut Node {
        &mut self.nodes[at as usize]
    }

    fn new_node(&mut self) -> u32 {
        if let Some(at) = self.free.pop() {
            return at;
        }
        self.nodes.push(Node::default());
        u32::try_from(self.nodes.len() - 1).unwrap_or(ROOT)
    }

    /// The child of `at` for `token`; `None` if it is new and the tree is full.
    fn child(&mut self, at: u32, token: &Token<'_>) -> Option<u32> {
        let kind = Kind { separator: token.separator, class: token.class };
        if token.class.varies() || token.class == Class::Integer && self.has_kind(at, kind) {
            let known = self.has_kind(at, kind);
            return (known || !self.full).then(|| self.kind_child(at, kind));
        }
        let word = Word { separator: token.separator, text: token.text.into() };
        if let Some(child) = self.node(at).words.get(&word) {
            return Some(*child);
        }
        if self.full {
            let known = self.has_kind(at, word.kind());
            return known.then(|| self.kind_child(at, word.kind()));
        }
        let child = self.new_node();
        self.node(at).words.insert(word.clone(), child);
        if token.class == Class::Integer {
            self.limit_numbers(at, token.separator, MAX_NUMBERS);
        }
        let max = if at == ROOT { self.max_words.max(MAX_FIRST_WORDS) } else { self.max_words };
        if self.node(at).words.len() > max {
            self.keep_words(at, max / 2);
        }
        // Either call may have merged the new child into another node.
        match self.node(at).words.get(&word) {
            Some(child) => Some(*child),
            None => Some(self.kind_child(at, word.kind())),
        }
    }

    fn has_kind(&mut self, at: u32, kind: Kind) -> bool {
        self.node(at).kinds.iter().any(|(known, _)| *known == kind)
    }

    fn kind_child(&mut self, at: u32, kind: Kind) -> u32 {
        if let Some((_, child)) = self.node(at).kinds.iter().find(|(known, _)| *known == kind) {
            return *child;
        }
        let child = self.new_node();
        self.node(at).kinds.push((kind, child));
        child
    }

    /// Replaces the numbers after one separator by a placeholder if there are more than `max`.
    fn limit_numbers(&mut self, at: u32, separator: Option<u8>, max: usize) {
        let is_one = |word: &&Word| word.separator == separator && word.is_number();
        let numbers: Vec<Word> = self.node(at).words.keys().filter(is_one).cloned().collect();
        if numbers.len() > max {
            self.generalise(at, &numbers);
        }
    }

    /// Keeps the most frequent words of a node.
    fn keep_words(&mut self, at: u32, keep: usize) {
        let counted = self.words_by_count(at);
        let rare: Vec<Word> = counted.into_iter().skip(keep).map(|(_, word)| word).collect();
        self.generalise(at, &rare);
    }

    fn words_by_count(&mut self, at: u32) -> Vec<(u64, Word)> {
        let words: Vec<(Word, u32)> =
            self.node(at).words.iter().map(|(word, child)| (word.clone(), *child)).collect();
        let mut counted: Vec<(u64, Word)> =
            words.into_iter().map(|(word, child)| (self.node(child).count, word)).collect();
        counted.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        counted
    }

    /// Turns words into placeholders and merges their subtrees.
    fn generalise(&mut self, at: u32, words: &[Word]) {
        for word in words {
            let Some(child) = self.node(at).words.remove(word) else { continue };
            let into = self.kind_child(at, word.kind());
            self.merge(child, into);
        }
    }

    fn merge(&mut self, from: u32, into: u32) {
        let node = std::mem::take(self.node(from));
        self.free.push(from);
        self.node(into).count += node.count;
        self.node(into).ends += node.ends;
        for (kind, child) in node.kinds {
            let target = self.node(into).kinds.iter().find(|(known, _)| *known == kind).copied();
            match target {
                Some((_, target)) => self.merge(child, target),
                None => self.node(into).kinds.push((kind, child)),
            }
        }
        for (word, child) in node.words {
            match self.node(into).words.get(&word).copied() {
                Some(target) => self.merge(child, target),
                None => {
                    self.node(into).words.insert(word, child);
                }
            }
        }
        if self.node(into).words.len() > self.max_words {
            self.keep_words(into, self.max_words / 2);
        }
    }

    fn children(&mut self, at: u32) -> Vec<u32> {
        let node = self.node(at);
        node.words.values().copied().chain(node.kinds.iter().map(|(_, child)| *child)).collect()
    }

    fn shrink(&mut self, at: u32) {
        let max = self.max_words;
        if self.node(at).words.len() > max {
            self.keep_words(at, max);
        }
        for child in self.children(at) {
            self.shrink(child);
        }
    }

    /// Decides, with all names known, which children are words and which are values. Below a
    /// version word, two numbers are already versions of one template.
    fn tidy(&mut self, at: u32, depth: usize, is_version: bool) {
        let total = self.node(at).count;
        let separators: Vec<Option<u8>> =
            self.node(at).words.keys().map(|word| word.separator).collect();
        for separator in separators {
            let has = self.has_kind(at, Kind { separator, class: Class::Integer });
            let max = if has { 0 } else { usize::from(!is_version || separator.is_some()) + 1 };
            self.limit_numbers(at, separator, max);
        }
        let counted = self.words_by_count(at);
        let overflowed = self.node(at).kinds.iter().any(|(kind, _)| kind.class == Class::Text);
        let rare: Vec<Word> = if depth == 0 {
            // Prefixes of programs are kept as words; rarer first segments become placeholders if
            // there were too many.
            let least = if overflowed { total / 1_000 + 2 } else { 0 };
            counted.into_iter().filter(|(count, _)| *count < least).map(|(_, word)| word).collect()
        } else if counted.len() > 12 || overflowed {
            counted.into_iter().filter(|(n, _)| n * 20 < total).map(|(_, word)| word).collect()
        } else if counted.len() >= 6 && counted.iter().all(|(count, _)| *count == 1) {
            counted.into_iter().map(|(_, word)| word).collect()
        } else {
            Vec::new()
        };
        self.generalise(at, &rare);
        let is_version_word = |word: &Word| is_version_word(&word.text);
        let words = &self.node(at).words;
        let mut below: Vec<(u32, bool)> =
            words.iter().map(|(word, child)| (*child, is_version_word(word))).collect();
        below.extend(self.node(at).kinds.iter().map(|(_, child)| (*child, false)));
        for (child, is_version) in below {
            self.tidy(child, depth + 1, is_version);
        }
    }

    fn collect(&self, at: u32, so_far: &Pattern, found: &mut Vec<Learned>) {
        let node = &self.nodes[at as usize];
        if node.ends > 0 {
            found.push(Learned { pattern: so_far.clone(), keys: node.ends });
        }
        for (word, child) in &node.words {
            let mut pattern = so_far.clone();
            word.separator.iter().for_each(|byte| pattern.push_literal(&[*byte]));
            pattern.push_literal(&word.text);
            self.collect(*child, &pattern, found);
        }
        for (kind, child) in &node.kinds {
            let mut pattern = so_far.clone();
            kind.separator.iter().for_each(|byte| pattern.push_literal(&[*byte]));
            pattern.push_placeholder(kind.class);
            self.collect(*child, &pattern, found);
        }
    }
}

/// Merges patterns with equal globs, orders them, and keeps at most [`MAX_PATTERNS`].
fn merge_equal(found: Vec<Learned>) -> Vec<Learned> {
    let mut by_glob: HashMap<Vec<u8>, Learned> = HashMap::new();
    for learned in found {
        match by_glob.entry(learned.pattern.glob()) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(learned);
            }
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.pattern = known.pattern.widened(&learned.pattern);
                known.keys += learned.keys;
            }
        }
    }
    let mut list: Vec<(Vec<u8>, Learned)> = by_glob.into_iter().collect();
    list.sort_by(|a, b| b.1.keys.cmp(&a.1.keys).then_with(|| a.0.cmp(&b.0)));
    list.truncate(MAX_PATTERNS);
    list.sort_by(|a, b| b.1.pattern.weight().cmp(&a.1.pattern.weight()).then(a.0.cmp(&b.0)));
    list.into_iter().map(|(_, learned)| learned).collect()
}

#[cfg(test)]
mod tests;

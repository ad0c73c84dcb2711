//! The names of the keys that were counted, so that a change later touches no others.

use std::fmt;
use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The names of counted keys, as 128 bits of the SHA-256 of each. Nobody who writes keys can make a name that counts as
/// another.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CountedNames {
    /// In order, each once.
    hashes: Vec<u128>,
}

impl CountedNames {
    /// How many names were counted. A name that a scan returned twice counts once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether no name was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether this name, without the prefix of its place, was counted.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.hashes.binary_search(&hash(name)).is_ok()
    }

    /// These names without some others.
    #[must_use]
    pub fn without(mut self, names: &[Vec<u8>]) -> Self {
        let others: Vec<u128> = names.iter().map(|name| hash(name)).collect();
        self.hashes.retain(|hash| !others.contains(hash));
        self
    }

    /// A digest of the names in 32 hexadecimal digits, whatever the order in which they were counted.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut sum = Sha256::new();
        for hash in &self.hashes {
            sum.update(hash.to_be_bytes());
        }
        let mut text = String::with_capacity(32);
        for byte in sum.finalize().iter().take(16) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl fmt::Debug for CountedNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedNames").field("names", &self.len()).finish_non_exhaustive()
    }
}

/// Notes names while they are counted.
pub(crate) struct NameCounter {
    max: usize,
    hashes: Vec<u128>,
    is_full: bool,
}

impl NameCounter {
    /// Notes at most `max` names.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, hashes: Vec::new(), is_full: false }
    }

    pub(crate) fn add(&mut self, name: &[u8]) {
        if self.is_full {
            return;
        }
        self.hashes.push(hash(name));
        // Names that a scan returned again take no room for long.
        if self.hashes.len() > self.max.saturating_mul(2) {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        if self.hashes.len() > self.max {
            self.is_full = true;
            self.hashes = Vec::new();
        }
    }

    /// The names; `None` if there were more than the maximum.
    pub(crate) fn finish(mut self) -> Option<CountedNames> {
        self.sort();
        (!self.is_full).then_some(CountedNames { hashes: self.hashes })
    }
}

fn hash(name: &[u8]) -> u128 {
    let digest = Sha256::digest(name);
    digest.iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(max: usize, names: &[&str]) -> Option<CountedNames> {
        let mut counter = NameCounter::new(max);
        names.iter().for_each(|name| counter.add(name.as_bytes()));
        counter.finish()
    }

    #[test]
    fn neither_order_nor_repetition_counts() {
        let one = counted(3, &["a", "b", "c"]).unwrap();
        let other = counted(3, &["c", "a", "a", "a", "a", "b", "c"]).unwrap();
        assert_eq!(one, other);
        assert_eq!((one.len(), one.digest()), (3, other.digest()));
        assert!(one.contains(b"b") && !one.contains(b"d"));
        assert_eq!(counted(2, &["a", "c"]).unwrap(), one.clone().without(&[b"b".to_vec()]));
        assert_ne!(one.digest(), counted(3, &["a", "b", "d"]).unwrap().digest());
    }

    #[test]
    fn more_names_than_the_maximum_are_not_noted() {
        assert_eq!(counted(2, &["a", "b", "c"]), None);
        assert!(counted(0, &[]).unwrap().is_empty());
    }
}

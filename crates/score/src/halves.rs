//! Splits the gold in two by a seed: one half to look at while working on the rules, one to measure them on.

use sha2::{Digest, Sha256};

/// One of the two halves of the gold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// The half that whoever works on the rules may look at.
    Seen,
    /// The half that is held out: only its figures are looked at.
    Held,
}

/// A split of the gold: the half of each item depends on the seed and on nothing else in the corpus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    seed: u64,
    half: Half,
}

impl Split {
    pub(crate) fn new(seed: u64, half: Half) -> Self {
        Self { seed, half }
    }

    /// Whether the item is in this half. The item is a document's path, or the text that is annotated.
    ///
    /// Twins of one document (`html/x.html` and `text/x.txt`) are in one half: folder and ending do not count.
    pub(crate) fn has(self, item: &str) -> bool {
        let stem = item.rsplit_once('/').map_or(item, |(_, file)| file);
        let stem = if item.contains('/') {
            stem.rsplit_once('.').map_or(stem, |(stem, _)| stem)
        } else {
            stem
        };
        let digest = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(stem);
        let seen = digest.finalize()[0] % 2 == 0;
        seen == (self.half == Half::Seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_one_half_and_the_halves_are_about_equal() {
        let (seen, held) = (Split::new(1, Half::Seen), Split::new(1, Half::Held));
        let items: Vec<String> = (0..1_000).map(|n| format!("{n} U.S. 1")).collect();
        assert!(items.iter().all(|item| seen.has(item) != held.has(item)));
        let count = items.iter().filter(|item| seen.has(item)).count();
        assert!((400..600).contains(&count), "{count}");
    }

    #[test]
    fn twins_of_a_document_are_in_one_half() {
        for seed in 0..64 {
            let split = Split::new(seed, Half::Held);
            assert_eq!(split.has("html/docket-akd.html"), split.has("text/docket-akd.txt"));
        }
    }
}

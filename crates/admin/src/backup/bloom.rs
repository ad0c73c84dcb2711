//! A Bloom filter of the names seen, with ten bits per name.

use crate::rdb::name_hash;

/// Bits of a block: one cache line of the processor, so that a lookup costs one access.
const BLOCK: usize = 512;
/// Bits set per name.
const PROBES: u32 = 7;
const BITS_PER_NAME: u64 = 10;

/// The answer "not seen" is certain; "seen" is wrong in about one case of a hundred.
#[derive(Debug)]
pub(super) struct Bloom {
    words: Vec<u64>,
    blocks: u64,
}

impl Bloom {
    /// Sized for `names`; with more it errs more often.
    pub(super) fn for_names(names: u64) -> Self {
        let bits = names.max(10_000).saturating_mul(BITS_PER_NAME);
        let blocks = bits.div_ceil(BLOCK as u64);
        let words = usize::try_from(blocks).unwrap_or(usize::MAX / BLOCK) * (BLOCK / 64);
        Self { words: vec![0; words], blocks }
    }

    /// Adds the name; `true` if it may have been seen before.
    pub(super) fn insert(&mut self, name: &[u8]) -> bool {
        let hash = name_hash(name);
        // The high half chooses the block, the low half the bits in it.
        let block = ((u128::from(hash) * u128::from(self.blocks)) >> 64) as usize;
        let words = &mut self.words[block * (BLOCK / 64)..][..BLOCK / 64];
        let mut bits = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut seen = true;
        for _ in 0..PROBES {
            let bit = (bits & (BLOCK as u64 - 1)) as usize;
            bits >>= 9;
            let mask = 1 << (bit % 64);
            seen &= words[bit / 64] & mask != 0;
            words[bit / 64] |= mask;
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_again_and_few_others_are() {
        const NAMES: u32 = 100_000;
        let mut bloom = Bloom::for_names(NAMES.into());
        let wrong = (0..NAMES).filter(|n| bloom.insert(format!("key:{n}").as_bytes())).count();
        assert!(wrong < 1_500, "{wrong}");
        assert!((0..NAMES).all(|n| bloom.insert(format!("key:{n}").as_bytes())));
    }
}

//! Traces of reads, in which a few of many documents are read far more often than most.

/// Number of documents.
pub(super) const DOCUMENTS: usize = 100_000;

/// Pseudorandom numbers, deterministic for a seed.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (SplitMix64: Steele, Lea, Flood 2014).
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number from 0 to below 1.
    pub(super) fn share(&mut self) -> f64 {
        // 53 bits, which a double represents exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// `length` reads of `documents` documents by Zipf's law: the n-th most popular is read with a
/// frequency of n to the power of minus `exponent`.
pub(super) fn zipf(documents: usize, exponent: f64, length: usize, seed: u64) -> Vec<u32> {
    let mut sum = 0.0;
    let below: Vec<f64> = (1..=documents)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    let mut random = Random::new(seed);
    // Popularity is independent of the order of the documents.
    let mut of_rank: Vec<u32> = (0..documents as u32).collect();
    for at in (1..documents).rev() {
        of_rank.swap(at, (random.next() % (at as u64 + 1)) as usize);
    }
    let mut read = || {
        let wanted = random.share() * sum;
        let rank = below.partition_point(|below| *below <= wanted);
        of_rank[rank.min(documents - 1)]
    };
    (0..length).map(|_| read()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_is_read_as_often_as_the_law_says() {
        let trace = zipf(1_000, 1.0, 200_000, 7);
        let mut counts = vec![0_u32; 1_000];
        trace.iter().for_each(|document| counts[*document as usize] += 1);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        // The sum of 1/n to 1,000 is 7.485.
        for (rank, count) in [(1, counts[0]), (2, counts[1]), (10, counts[9])] {
            let wanted = 200_000.0 / 7.485 / f64::from(rank);
            assert!((f64::from(count) / wanted - 1.0).abs() < 0.05, "{rank}: {count}");
        }
        assert_eq!(trace, zipf(1_000, 1.0, 200_000, 7), "the same seed, the same trace");
    }
}

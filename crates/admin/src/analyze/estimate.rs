//! Estimates memory, with a confidence interval.
//!
//! Keys are divided into strata, one per group and encoding. Keys whose encoding can be big are all
//! measured (a stratum of certainty, which adds its sizes and no variance). Of every other stratum
//! with `N` keys, a simple random sample of `n` without replacement is measured. With the sample's
//! mean `m` and variance `s²`
//!
//! - the stratum's total is estimated as `N·m`,
//! - its variance as `N²·(1 − n/N)·s²/n`; the factor `1 − n/N` is the finite population correction,
//!   zero when all were measured.
//!
//! Strata are sampled independently, so totals and variances add up over a group and over the
//! database, and the interval is 1.96 standard deviations to each side. It does not include the
//! error of the server's own estimate of a collection from a few of its elements.

use super::report::Memory;

/// Keys measured per sampled stratum.
pub(crate) const SAMPLE: usize = 200;

/// A fixed number of random elements of a stream of unknown length.
#[derive(Clone, Debug)]
pub(crate) struct Reservoir {
    names: Vec<Vec<u8>>,
    seen: u64,
    state: u64,
}

impl Reservoir {
    pub(crate) fn new(seed: u64) -> Self {
        Self { names: Vec::new(), seen: 0, state: seed | 1 }
    }

    /// Offers an element; all elements offered so far are kept with equal probability.
    pub(crate) fn offer(&mut self, name: &[u8]) {
        self.seen += 1;
        if self.names.len() < SAMPLE {
            self.names.push(name.to_vec());
            return;
        }
        let at = usize::try_from(self.next() % self.seen).unwrap_or(usize::MAX);
        if let Some(slot) = self.names.get_mut(at) {
            *slot = name.to_vec();
        }
    }

    /// Number of elements offered.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn take_names(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.names)
    }

    /// xorshift64*: sufficient, as no adversary chooses the keys.
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }
}

/// Mean and variance of the measured keys of a stratum (Welford's algorithm).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub(crate) fn add(&mut self, value: u64) {
        let value = value as f64;
        self.count += 1;
        let apart = value - self.mean;
        self.mean += apart / self.count as f64;
        self.squares += apart * (value - self.mean);
    }

    fn variance(&self) -> f64 {
        if self.count < 2 { 0.0 } else { self.squares / (self.count - 1) as f64 }
    }
}

/// Adds up strata.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    bytes: f64,
    variance: f64,
    measured: u64,
}

impl Total {
    /// Adds a key of a stratum of certainty.
    pub(crate) fn add_certain(&mut self, bytes: u64) {
        self.bytes += bytes as f64;
        self.measured += 1;
    }

    /// Adds a stratum of `population` keys with the sample `moments`. A stratum whose sampled keys
    /// all vanished adds nothing.
    pub(crate) fn add_sampled(&mut self, population: u64, moments: &Moments) {
        if moments.count == 0 {
            return;
        }
        let (all, n) = (population as f64, moments.count as f64);
        self.bytes += all * moments.mean;
        let unseen = (1.0 - n / all).max(0.0);
        self.variance += all * all * unseen * moments.variance() / n;
        self.measured += moments.count;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.variance += other.variance;
        self.measured += other.measured;
    }

    pub(crate) fn memory(&self) -> Memory {
        Memory {
            bytes: self.bytes.round() as u64,
            plus_minus: (1.96 * self.variance.sqrt()).ceil() as u64,
            measured: self.measured,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mostly small sizes with a long tail, as of listpacks.
    fn sizes(seed: u64) -> Vec<u64> {
        let mut random = Reservoir::new(seed);
        (0..20_000)
            .map(|_| {
                let unit = (random.next() % 1_000_000) as f64 / 1_000_000.0;
                64 + (40.0 * (1.0 / (1.0 - unit * 0.995))) as u64
            })
            .collect()
    }

    #[test]
    fn the_interval_holds_the_truth_in_about_95_of_100_runs() {
        let sizes = sizes(7);
        let truth: u64 = sizes.iter().sum();
        let runs: u64 = 400;
        let mut held = 0;
        let mut widths = 0.0;
        for seed in 1..=runs {
            let mut reservoir = Reservoir::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for at in 0..sizes.len() {
                reservoir.offer(&at.to_le_bytes());
            }
            let mut moments = Moments::default();
            for name in reservoir.take_names() {
                let at = usize::from_le_bytes(name.try_into().unwrap());
                moments.add(sizes[at]);
            }
            let mut total = Total::default();
            total.add_sampled(sizes.len() as u64, &moments);
            let memory = total.memory();
            held += u64::from(memory.bytes.abs_diff(truth) <= memory.plus_minus);
            widths += memory.plus_minus as f64 / truth as f64;
        }
        let share = held as f64 / runs as f64;
        assert!((0.90..=0.99).contains(&share), "{share}");
        assert!(widths / (runs as f64) < 0.30, "{}", widths / runs as f64);
    }

    #[test]
    fn a_census_has_no_doubt() {
        let mut moments = Moments::default();
        [100, 200, 600].into_iter().for_each(|size| moments.add(size));
        let mut total = Total::default();
        total.add_sampled(3, &moments);
        total.add_certain(1_000);
        let memory = total.memory();
        assert_eq!((memory.bytes, memory.plus_minus, memory.measured), (1_900, 0, 4));
    }
}

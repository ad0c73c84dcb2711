//! The keys of one database on one node, as far as a look has met them, and estimates of their bytes.

use super::key_sizes::BigKeys;

/// Keys of at least so many bytes are big.
pub(super) const BIG: u64 = 128 << 10;
/// Standard deviations from the estimate to the ends of its interval.
const WIDTH: f64 = 2.4;
/// The doubt of the bytes that it counts.
const DOUBT_OF_COUNTED: f64 = 0.35;
/// What a walk over all keys may be off by: elements of collections, keys that come and go.
const DOUBT_OF_WALK: f64 = 0.005;

/// Sum and squares of the sizes in a sample.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, bytes: f64) {
        self.sum += bytes;
        self.squares += bytes * bytes;
    }

    /// Estimates the total of `population` keys from `drawn`, those that are not of this kind as nothing.
    fn total(&self, population: f64, drawn: f64) -> Estimate {
        if drawn < 1.0 {
            return Estimate::default();
        }
        let mean = self.sum / drawn;
        let variance = match drawn > 1.0 {
            true => ((self.squares - drawn * mean * mean) / (drawn - 1.0)).max(0.0),
            false => mean * mean,
        };
        let unseen = (1.0 - drawn / population).max(0.0);
        Estimate {
            bytes: population * mean,
            variance: population * population * unseen * variance / drawn,
        }
    }
}

/// The keys of one database on one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// Keys of the numbered database, those of other prefixes included, and without the known big ones.
    population: f64,
    /// How many of these were drawn.
    drawn: f64,
    /// Those drawn that are of this part.
    count: f64,
    small: Sums,
    /// The sizes of the big ones.
    pub(super) big: Vec<f64>,
    /// Bytes of the big keys that former looks met.
    known: f64,
    /// How many these are.
    known_keys: f64,
    /// Big keys of the part by `INFO keysizes`, the known ones left out.
    pub(super) counted: Option<BigKeys>,
    /// Keys and bytes of a walk over all keys.
    walked: Option<(f64, f64)>,
}

impl Part {
    /// A part of a numbered database that has `population` keys, of which `drawn` were drawn.
    pub(super) fn new(population: f64, drawn: f64) -> Self {
        Self { population, drawn, ..Self::default() }
    }

    /// Takes in a key of the sample.
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1.0;
        match bytes >= BIG {
            true => self.big.push(bytes as f64),
            false => self.small.add(bytes as f64),
        }
    }

    /// Takes in a big key that a former look met.
    pub(super) fn add_known(&mut self, bytes: u64) {
        self.known += bytes as f64;
        self.known_keys += 1.0;
    }

    /// Takes the sums of a walk over all its keys instead of the sample.
    pub(super) fn walk(&mut self, keys: u64, bytes: u64) {
        self.walked = Some((keys as f64, bytes as f64));
    }

    /// How many keys of the numbered database were drawn.
    pub(super) fn drawn(&self) -> f64 {
        self.drawn
    }

    /// Begins another sample, of which `drawn` keys of `population` are to be added.
    pub(super) fn draw_anew(&mut self, population: f64, drawn: f64) {
        *self = Self {
            population,
            drawn,
            known: self.known,
            known_keys: self.known_keys,
            counted: self.counted,
            ..Self::default()
        };
    }

    /// The share of the sample that is of this part.
    pub(super) fn share(&self) -> f64 {
        if self.drawn < 1.0 { 0.0 } else { self.count / self.drawn }
    }

    /// How many keys it has.
    pub(super) fn keys(&self) -> f64 {
        match self.walked {
            Some((keys, _)) => keys,
            None => self.population * self.share() + self.known_keys,
        }
    }

    /// Whether every key was measured.
    pub(super) fn is_census(&self) -> bool {
        self.walked.is_some() || self.drawn >= self.population
    }

    /// Keys that each one of the sample stands for.
    pub(super) fn stands_for(&self) -> f64 {
        if self.drawn < 1.0 { 0.0 } else { self.population / self.drawn }
    }

    /// The sizes from `bound` on.
    pub(super) fn hits(&self, bound: f64) -> impl Iterator<Item = f64> {
        self.big.iter().copied().filter(move |bytes| *bytes >= bound)
    }

    /// The keys below `bound`, and the known big ones; every key where all were measured.
    pub(super) fn without_rest(&self, bound: f64) -> Estimate {
        if let Some((_, bytes)) = self.walked {
            return Estimate { bytes, variance: (DOUBT_OF_WALK * bytes).powi(2) };
        }
        let bound = if self.is_census() { f64::INFINITY } else { bound };
        let mut sums = self.small;
        self.big.iter().filter(|bytes| **bytes < bound).for_each(|bytes| sums.add(*bytes));
        let mut found = sums.total(self.population, self.drawn);
        found.bytes += self.known;
        found
    }

    /// By the sample alone.
    pub(super) fn by_sample(&self) -> Estimate {
        self.without_rest(f64::INFINITY)
    }

    /// By the sample, and the big keys as `INFO keysizes` counts them.
    pub(super) fn by_count(&self) -> Estimate {
        let mut found = self.without_rest(BIG as f64);
        if let Some(big) = self.counted.filter(|_| !self.is_census()) {
            let bytes = big.bytes();
            found.add(Estimate { bytes, variance: (DOUBT_OF_COUNTED * bytes).powi(2) });
        }
        found
    }

    /// The bytes that were seen: the estimate cannot be less.
    pub(super) fn measured(&self) -> f64 {
        self.small.sum + self.big.iter().sum::<f64>() + self.known
    }
}

/// Bytes, and the variance of the estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Estimate {
    pub(super) bytes: f64,
    pub(super) variance: f64,
}

impl Estimate {
    pub(super) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.variance += other.variance;
    }

    /// Half the width of the interval.
    pub(super) fn plus_minus(&self) -> f64 {
        WIDTH * self.variance.sqrt()
    }
}

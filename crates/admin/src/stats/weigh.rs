//! The estimate of bytes, and how sure it is.
//!
//! The keys of a node are in parts: one a database. Of each numbered database with `N` keys, `n` random ones
//! are measured. Sizes have long tails, and one key in ten thousand may hold most of the memory; a sample meets
//! two of these or none. So the keys below [`BIG`] and those above are weighed apart:
//!
//! - The small ones by the sample: `N·m`, with the variance `N²·(1 − n/N)·s²/n`.
//! - The big ones that former looks met are all measured: they add no doubt.
//! - The other big ones by the server's own total, less the small and the known ones: [`Whole`]. It is exact
//!   to a few bytes a key, however long the tail is, and of all databases together. Where `INFO keysizes`
//!   counts big keys by database, that is how the rest is shared out; elsewhere by the big keys in the
//!   sample, and where there are none by the number of keys, which the interval accounts for.
//!
//! Where no big keys are in sight, or the sample has many, the sums of the sample are adjusted to the server's
//! total, each by its variance (generalised least squares).
//!
//! The interval is [`WIDTH`] standard deviations to each side rather than 1.96: a sum of skewed sizes is
//! skewed itself.

use super::key_sizes::BigKeys;

/// Keys of at least so many bytes are big.
pub(super) const BIG: u64 = 128 << 10;
/// Standard deviations from the estimate to the ends of its interval.
const WIDTH: f64 = 2.2;
/// Big keys in the sample that are enough to estimate all from.
const MANY_HITS: f64 = 30.0;
/// How far the sample and the total may be apart, in standard deviations, before both are not of one thing.
const CONSISTENT: f64 = 3.0;
/// How many big keys of a sample the number of keys is worth when the rest is shared out.
const WORTH_OF_KEYS: f64 = 1.0;
/// How many those are worth that `INFO keysizes` counts, if their bytes come near the rest,
const WORTH_OF_COUNTED: f64 = 400.0;
/// and if not.
const WORTH_OF_UNLIKE: f64 = 4.0;
/// The doubt of their bytes by themselves.
const DOUBT_OF_COUNTED: f64 = 0.35;
/// What the total has more of a key than `MEMORY USAGE` says, or less: entries of tables, allocator's classes.
/// Measured on Redis 6.2, 7.0, 8.2 and Valkey 9.1: 1 to 35 bytes less.
const BESIDE_A_KEY: f64 = 20.0;
const DOUBT_BESIDE_A_KEY: f64 = 16.0;
/// What the total may be off by otherwise: elements of collections, which `MEMORY USAGE` measures some of.
const DOUBT_OF_TOTAL: f64 = 0.012;
/// And by what is no key: scripts, channels.
const DOUBT_BESIDE_KEYS: f64 = 256.0 * 1_024.0;

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
    pub(super) population: f64,
    /// How many of these were drawn.
    pub(super) drawn: f64,
    /// Those drawn that are of this part.
    pub(super) count: f64,
    small: Sums,
    big: Sums,
    hits: f64,
    /// Bytes of the big keys that former looks met.
    pub(super) known: f64,
    /// How many these are.
    pub(super) known_keys: f64,
    /// Big keys of the part by `INFO keysizes`, the known ones left out.
    pub(super) counted: Option<BigKeys>,
}

impl Part {
    /// A part of a numbered database that has `population` keys, of which `drawn` were drawn.
    pub(super) fn new(population: f64, drawn: f64) -> Self {
        Self { population, drawn, ..Self::default() }
    }

    /// Takes in a key of the sample.
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1.0;
        if bytes >= BIG {
            self.hits += 1.0;
            self.big.add(bytes as f64);
        } else {
            self.small.add(bytes as f64);
        }
    }

    /// How many keys it has, the known big ones left out.
    pub(super) fn keys(&self) -> f64 {
        if self.drawn < 1.0 { 0.0 } else { self.population * self.count / self.drawn }
    }

    /// Whether every key was measured.
    pub(super) fn is_census(&self) -> bool {
        self.drawn >= self.population
    }

    fn small(&self) -> Estimate {
        self.small.total(self.population, self.drawn)
    }

    fn big(&self) -> Estimate {
        self.big.total(self.population, self.drawn)
    }

    /// Keys that each one of the sample stands for.
    fn stands_for(&self) -> f64 {
        if self.drawn < 1.0 { 0.0 } else { self.population / self.drawn }
    }

    /// What was seen: the estimate cannot be less.
    fn measured(&self) -> f64 {
        self.small.sum + self.big.sum + self.known
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

/// The bytes of all keys of a node, by its own count of what it has allocated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Whole {
    bytes: f64,
    variance: f64,
}

impl Whole {
    /// From `used_memory_dataset`, which has all but the tables of keys, and the number of all keys.
    pub(super) fn new(dataset: u64, keys: u64) -> Self {
        let (dataset, keys) = (dataset as f64, keys as f64);
        let doubts = [DOUBT_BESIDE_A_KEY * keys, DOUBT_OF_TOTAL * dataset, DOUBT_BESIDE_KEYS];
        Self {
            bytes: dataset + BESIDE_A_KEY * keys,
            variance: doubts.iter().map(|doubt| doubt * doubt).sum(),
        }
    }
}

/// The bytes of each part of a node. `whole` is of all of them, where the server tells.
pub(super) fn weigh(parts: &[Part], whole: Option<Whole>) -> Vec<Estimate> {
    let hits: f64 = parts.iter().filter(|part| !part.is_census()).map(|part| part.hits).sum();
    let counted: f64 = parts.iter().filter_map(|part| part.counted).map(|big| big.bytes).sum();
    let weighed = match whole {
        None => parts
            .iter()
            .map(if counted > 0.0 && hits < MANY_HITS { by_count } else { by_sample })
            .collect(),
        Some(whole) if hits >= MANY_HITS => adjusted(parts, whole, by_sample),
        Some(whole) => {
            let sum = |sum: Estimate, part: &Part| {
                let one = without_rest(part);
                Estimate { bytes: sum.bytes + one.bytes, variance: sum.variance + one.variance }
            };
            let sum = parts.iter().fold(Estimate { bytes: 0.0, variance: whole.variance }, sum);
            let rest = whole.bytes - sum.bytes;
            let is_in_sight = rest > 2.0 * sum.variance.sqrt();
            match counted > 0.0 {
                true if is_in_sight && rest > counted / 3.0 => share_out(parts, whole, rest),
                true => adjusted(parts, whole, by_count),
                false if is_in_sight || hits > 0.0 => share_out(parts, whole, rest),
                false => adjusted(parts, whole, by_sample),
            }
        }
    };
    let at_least = |(part, mut one): (&Part, Estimate)| {
        one.bytes = one.bytes.max(part.measured());
        one
    };
    parts.iter().zip(weighed).map(at_least).collect()
}

/// The small keys and the known big ones; all of a part of which every key was measured.
fn without_rest(part: &Part) -> Estimate {
    let mut one = part.small();
    one.bytes += part.known;
    if part.is_census() {
        one.bytes += part.big.sum;
    }
    one
}

fn by_sample(part: &Part) -> Estimate {
    let mut one = part.small();
    one.add(part.big());
    one.bytes += part.known;
    one
}

fn by_count(part: &Part) -> Estimate {
    let mut one = without_rest(part);
    if let Some(big) = part.counted.filter(|_| !part.is_census()) {
        one.add(Estimate { bytes: big.bytes, variance: (DOUBT_OF_COUNTED * big.bytes).powi(2) });
    }
    one
}

/// Gives the difference to the total to the parts by their variances.
fn adjusted(parts: &[Part], whole: Whole, estimate: fn(&Part) -> Estimate) -> Vec<Estimate> {
    let mut found: Vec<Estimate> = parts.iter().map(estimate).collect();
    let variance = found.iter().fold(whole.variance, |sum, one| sum + one.variance);
    let apart = whole.bytes - found.iter().fold(0.0, |sum, one| sum + one.bytes);
    // The server's total is of something else as well.
    if variance <= 0.0 || apart.abs() > CONSISTENT * variance.sqrt() {
        return found;
    }
    for one in &mut found {
        let share = one.variance / variance;
        one.bytes += share * apart;
        one.variance *= 1.0 - share;
    }
    found
}

/// Shares the bytes of the big keys that nobody has met out to the parts.
fn share_out(parts: &[Part], whole: Whole, rest: f64) -> Vec<Estimate> {
    let rest = rest.max(0.0);
    let open = || parts.iter().filter(|part| !part.is_census());
    let counted: f64 = open().filter_map(|part| part.counted).map(|big| big.bytes).sum();
    let by_count = |part: &Part| part.counted.map_or(0.0, |big| big.bytes);
    let is_like = counted > rest / 3.0;
    let (worth, weight): (f64, &dyn Fn(&Part) -> f64) = match counted > 0.0 {
        true if is_like => (WORTH_OF_COUNTED, &by_count),
        true => (WORTH_OF_UNLIKE, &by_count),
        false => (WORTH_OF_KEYS, &Part::keys),
    };
    let all: f64 = open().map(weight).sum();
    let (drawn, population) =
        open().fold((0.0, 0.0), |(n, all), part| (n + part.drawn, all + part.population));
    let mean = if drawn > 0.0 { population / drawn } else { 1.0 };
    let met = |part: &Part| part.hits * part.stands_for() / mean;
    let met_in_all: f64 = open().map(met).sum();
    let small: f64 = parts.iter().map(|part| without_rest(part).variance).sum();
    let part_of = |part: &Part| {
        let mut one = without_rest(part);
        if part.is_census() || all + met_in_all <= 0.0 {
            return one;
        }
        let prior = if all > 0.0 { worth * weight(part) / all } else { 0.0 };
        let weight_of_all = met_in_all + if all > 0.0 { worth } else { 0.0 };
        let share = (prior + met(part)) / weight_of_all;
        let doubt = share * (1.0 - share) / (weight_of_all + 1.0);
        let others = small - one.variance;
        one.bytes += share * rest;
        // The rest is what the total has beyond the small keys: what these are thought to have too much,
        // it has too little.
        one.variance = (1.0 - share).powi(2) * one.variance
            + share.powi(2) * (others + whole.variance)
            + rest * rest * doubt;
        one
    };
    parts.iter().map(part_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1_048_576.0;

    fn part(population: f64, sizes: &[u64]) -> Part {
        let drawn = sizes.len() as f64;
        let mut part = Part::new(population, drawn);
        sizes.iter().for_each(|bytes| part.add(*bytes));
        part
    }

    fn even(population: f64) -> Part {
        part(population, &[100, 200].repeat(500))
    }

    #[test]
    fn every_key_measured_leaves_no_doubt() {
        let found = weigh(&[part(4.0, &[100, 200, 300, 10 << 20])], None);
        assert_eq!(found, [Estimate { bytes: 600.0 + 10.0 * MIB, variance: 0.0 }]);
    }

    #[test]
    fn what_the_server_has_beyond_the_small_keys_is_in_big_ones_that_no_sample_met() {
        let bytes = (150_000_000.0 + 1_000.0 * MIB) as u64;
        let whole = Whole::new(bytes - 20_000_000, 1_000_000);
        let found = weigh(&[even(1_000_000.0)], Some(whole));
        assert!((found[0].bytes - bytes as f64).abs() < 1.0, "{found:?}");
        assert!(found[0].plus_minus() < 0.05 * found[0].bytes, "{found:?}");
        let alone = weigh(&[even(1_000_000.0)], None);
        assert!((alone[0].bytes - 150_000_000.0).abs() < 1.0, "{alone:?}");
    }

    #[test]
    fn one_that_is_met_says_in_which_database_the_rest_is() {
        let sizes: Vec<u64> =
            [100, 200].repeat(499).into_iter().chain([10 << 20, 10 << 20]).collect();
        let parts = [even(500_000.0), part(500_000.0, &sizes)];
        let whole = Whole::new((130_000_000.0 + 1_000.0 * MIB) as u64, 1_000_000);
        let found = weigh(&parts, Some(whole));
        assert!(found[1].bytes > 3.0 * found[0].bytes, "{found:?}");
        // Both may be wrong, and say so.
        assert!(
            found[0].plus_minus() > 300.0 * MIB && found[1].plus_minus() > 300.0 * MIB,
            "{found:?}"
        );
    }

    #[test]
    fn big_keys_that_the_server_counts_are_where_it_counts_them() {
        let counted = |count: u64| Some(BigKeys { count, bytes: count as f64 * 12.0 * MIB });
        let mut parts = [even(500_000.0), even(500_000.0)];
        (parts[0].counted, parts[1].counted) = (counted(0), counted(100));
        let whole = Whole::new((130_000_000.0 + 1_000.0 * MIB) as u64, 1_000_000);
        let found = weigh(&parts, Some(whole));
        assert!((found[0].bytes - 75_000_000.0).abs() < 1.0, "{found:?}");
        assert!((found[1].bytes - 75_000_000.0 - 1_000.0 * MIB).abs() < 0.01 * found[1].bytes);
        let hidden = weigh(&parts, None);
        assert!(hidden[1].bytes + hidden[1].plus_minus() > found[1].bytes, "{hidden:?}");
        assert!(hidden[1].bytes - hidden[1].plus_minus() < found[1].bytes, "{hidden:?}");
    }

    #[test]
    fn a_known_big_key_adds_its_bytes_and_no_doubt() {
        let mut one = even(1_000_000.0);
        one.known = 1_000.0 * MIB;
        let whole = Whole::new((130_000_000.0 + 1_000.0 * MIB) as u64, 1_000_000);
        let found = weigh(&[one, even(1_000.0)], Some(whole));
        assert!((found[0].bytes - 150_000_000.0 - 1_000.0 * MIB).abs() < 0.01 * found[0].bytes);
        assert!(found[0].plus_minus() < 0.05 * found[0].bytes, "{found:?}");
    }

    #[test]
    fn a_total_that_counts_other_things_too_does_not_move_a_sample_of_many_big_keys() {
        let sizes: Vec<u64> = [100, 200, 1 << 20].repeat(300);
        let parts = [part(9_000.0, &sizes)];
        let found = weigh(&parts, Some(Whole::new(100 << 30, 9_000)));
        assert!((found[0].bytes - 3_000.0 * (300.0 + MIB)).abs() < 1.0, "{found:?}");
    }
}

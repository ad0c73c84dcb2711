//! The estimate of bytes, and how sure it is.
//!
//! The keys of a node are in parts: one a database. Of each numbered database with `N` keys, `n` random ones
//! are measured. Sizes have long tails, and one key in ten thousand may hold most of the memory; a sample meets
//! two of these or none. So the keys below a bound and those above are weighed apart. The bound is so high that
//! the sample has [`MAX_HITS`] keys above it at most, and [`BIG`] at least.
//!
//! - The small ones by the sample: `N·m`, with the variance `N²·(1 − n/N)·s²/n`.
//! - The big ones that former looks met are all measured: they add no doubt.
//! - The other big ones by the server's own total, less the small and the known ones: [`Whole`]. It is exact
//!   to a few bytes a key, however long the tail is, and of all databases together. Where `INFO keysizes`
//!   counts big keys by database, that is how the rest is shared out; elsewhere by the big keys in the
//!   sample, and where there are none by the number of keys, which the interval accounts for.
//!
//! Where no big keys are in sight the sums of the sample are adjusted to the server's total, each by its
//! variance (generalised least squares).
//!
//! The interval is [`super::part::WIDTH`] standard deviations to each side rather than 1.96: a sum of skewed sizes is
//! skewed itself.

use super::part::{BIG, Estimate, Part};

/// Keys of a sample that count as big at most; where there are more, the smaller of them tell enough by
/// themselves.
const MAX_HITS: usize = 16;
/// How many big keys of a sample the number of keys is worth when the rest is shared out,
const WORTH_OF_KEYS: f64 = 1.0;
/// and how many what `INFO keysizes` counts.
const WORTH_OF_COUNTED: f64 = 60.0;
/// What the total has more of a key than `MEMORY USAGE` says, or less: entries of tables, allocator's classes.
/// Measured on Redis 6.2, 7.0, 8.2 and Valkey 9.1: 1 to 35 bytes less.
const BESIDE_A_KEY: f64 = 20.0;
const DOUBT_BESIDE_A_KEY: f64 = 16.0;
/// What the total may be off by otherwise: elements of collections, which `MEMORY USAGE` measures some of.
const DOUBT_OF_TOTAL: f64 = 0.012;
/// And by what is no key: scripts, channels.
const DOUBT_BESIDE_KEYS: f64 = 256.0 * 1_024.0;

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
    let open = || parts.iter().filter(|part| !part.is_census());
    let is_counted = open().any(|part| part.counted.is_some_and(|big| big.bytes() > 0.0));
    let weighed = match whole {
        None if is_counted => parts.iter().map(Part::by_count).collect(),
        None => parts.iter().map(Part::by_sample).collect(),
        Some(whole) => {
            let bound = bound(open());
            let mut sum = Estimate { bytes: 0.0, variance: whole.variance };
            parts.iter().for_each(|part| sum.add(part.without_rest(bound)));
            let rest = whole.bytes - sum.bytes;
            let is_met = open().any(|part| part.hits(bound).next().is_some());
            match is_met || rest > 2.0 * sum.variance.sqrt() {
                true => share_out(parts, whole, bound, rest.max(0.0)),
                false => adjusted(parts, whole),
            }
        }
    };
    let at_least = |(part, mut one): (&Part, Estimate)| {
        one.bytes = one.bytes.max(part.measured());
        one
    };
    parts.iter().zip(weighed).map(at_least).collect()
}

/// The bound from which on keys are big.
fn bound<'a>(parts: impl Iterator<Item = &'a Part>) -> f64 {
    let mut sizes: Vec<f64> = parts.flat_map(|part| part.big.iter().copied()).collect();
    sizes.sort_by(|one, other| other.total_cmp(one));
    // One more than the first that does not count any more.
    sizes.get(MAX_HITS).map_or(BIG as f64, |bytes| bytes + 1.0)
}

/// Gives the difference to the total to the parts by their variances.
fn adjusted(parts: &[Part], whole: Whole) -> Vec<Estimate> {
    let mut found: Vec<Estimate> = parts.iter().map(Part::by_sample).collect();
    let variance = found.iter().fold(whole.variance, |sum, one| sum + one.variance);
    let apart = whole.bytes - found.iter().fold(0.0, |sum, one| sum + one.bytes);
    if variance <= 0.0 {
        return found;
    }
    // Further apart than both doubts explain: all are more doubtful.
    let strain = (apart * apart / variance / 4.0).max(1.0);
    for one in &mut found {
        let share = one.variance / variance;
        one.bytes += share * apart;
        one.variance *= (1.0 - share) * strain;
    }
    found
}

/// Shares the bytes of the big keys that nobody has met out to the parts.
fn share_out(parts: &[Part], whole: Whole, bound: f64, rest: f64) -> Vec<Estimate> {
    let shares = shares(parts, bound, rest);
    let small: f64 = parts.iter().map(|part| part.without_rest(bound).variance).sum();
    let part_of = |(part, (share, doubt)): (&Part, &(f64, f64))| {
        let mut one = part.without_rest(bound);
        let others = small - one.variance;
        one.bytes += share * rest;
        // The rest is what the total has beyond the small keys: what these are thought to have too much,
        // it has too little.
        one.variance = (1.0 - share).powi(2) * one.variance
            + share.powi(2) * (others + whole.variance)
            + rest * rest * doubt;
        one
    };
    parts.iter().zip(&shares).map(part_of).collect()
}

/// The share of the rest that each part has, and the variance of that.
fn shares(parts: &[Part], bound: f64, rest: f64) -> Vec<(f64, f64)> {
    let open = || parts.iter().filter(|part| !part.is_census());
    // Each key that was met counts by its bytes, all together as often as sizes as unlike are worth.
    let met = |part: &Part| part.hits(bound).sum::<f64>() * part.stands_for();
    let bytes: f64 = open().map(met).sum();
    let squares: f64 = open().flat_map(|part| part.hits(bound)).map(|hit| hit * hit).sum();
    let sum: f64 = open().flat_map(|part| part.hits(bound)).sum();
    let worth_of_met = if squares > 0.0 { sum * sum / squares } else { 0.0 };
    let strings: f64 = open().filter_map(|part| part.counted).map(|big| big.strings).sum();
    let others: f64 = open().filter_map(|part| part.counted).map(|big| big.collections).sum();
    let is_counted = strings + others > 0.0;
    // A length of strings is one of bytes; how many bytes an element has, the rest tells.
    let of_element = if others > 0.0 { (rest - strings).max(0.0) / others } else { 0.0 };
    let weight = |part: &Part| match part.counted {
        Some(big) if is_counted => big.strings + of_element * big.collections,
        _ if is_counted => 0.0,
        _ => part.keys(),
    };
    let weights: f64 = open().map(weight).sum();
    let worth = match is_counted {
        _ if weights <= 0.0 => 0.0,
        true => WORTH_OF_COUNTED,
        false => WORTH_OF_KEYS,
    };
    let of = |part: &Part| {
        let all = worth + worth_of_met;
        if part.is_census() || all <= 0.0 {
            return (0.0, 0.0);
        }
        let by_weight = if weights > 0.0 { worth * weight(part) / weights } else { 0.0 };
        let by_met = if bytes > 0.0 { worth_of_met * met(part) / bytes } else { 0.0 };
        let share = (by_weight + by_met) / all;
        (share, share * (1.0 - share) / (all + 1.0))
    };
    parts.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::key_sizes::BigKeys;
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
        let counted = |count: u64| {
            Some(BigKeys { count, strings: count as f64 * 12.0 * MIB, collections: 0.0 })
        };
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
        one.add_known(1_000 << 20);
        let whole = Whole::new((130_000_000.0 + 1_000.0 * MIB) as u64, 1_000_000);
        let found = weigh(&[one, even(1_000.0)], Some(whole));
        assert!((found[0].bytes - 150_000_000.0 - 1_000.0 * MIB).abs() < 0.01 * found[0].bytes);
        assert!(found[0].plus_minus() < 0.05 * found[0].bytes, "{found:?}");
    }

    #[test]
    fn many_big_keys_of_a_sample_tell_enough_by_themselves() {
        let sizes: Vec<u64> = [100, 200, 1 << 20].repeat(300);
        let parts = [part(9_000.0, &sizes), even(9_000.0)];
        let exact = 3_000.0 * (300.0 + MIB);
        let found = weigh(&parts, Some(Whole::new((exact + 1_170_000.0) as u64, 18_000)));
        assert!((found[0].bytes - exact).abs() < 0.01 * exact, "{found:?}");
        assert!(found[1].bytes < 2_000_000.0, "{found:?}");
    }

    #[test]
    fn a_walk_over_all_keys_takes_the_place_of_the_sample() {
        let mut parts = [even(500_000.0), even(500_000.0)];
        parts[0].walk(500_000, 75_000_000);
        parts[1].walk(500_100, 75_000_000 + (1_000 << 20));
        let whole = Whole::new((130_000_000.0 + 1_000.0 * MIB) as u64, 1_000_000);
        let found = weigh(&parts, Some(whole));
        assert!((found[1].bytes - 75_000_000.0 - 1_000.0 * MIB).abs() < 0.01 * found[1].bytes);
        assert!(found[1].plus_minus() < 0.02 * found[1].bytes, "{found:?}");
        assert_eq!(parts[1].keys(), 500_100.0);
    }
}

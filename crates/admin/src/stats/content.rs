//! From the keys that were met to the figures of a database.

use std::cmp::Reverse;

use super::part::{BIG, Estimate};
use super::report::{BiggestKey, BytesEstimate, ContentStats, PatternStats};
use super::sample::Ttl;
use crate::patterns::{Learner, Selection, Selector};

/// Patterns that are shown.
const PATTERNS: usize = 5;
/// Big keys that are shown.
const BIGGEST: usize = 5;
/// Names that patterns are learnt from.
const LEARNT_FROM: usize = 8_000;

/// A key that was met.
#[derive(Clone, Debug)]
pub(super) struct Met {
    /// Its name on the server.
    pub(super) name: Vec<u8>,
    pub(super) bytes: u64,
    /// How many keys it stands for.
    pub(super) stands_for: f64,
    pub(super) ttl: Option<Ttl>,
}

/// The keys of one prefix, or of none, of a numbered database.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    /// What its keys begin with.
    pub(super) prefix: Vec<u8>,
    pub(super) keys: f64,
    /// Whether every key was met.
    pub(super) is_census: bool,
    pub(super) estimate: Estimate,
    pub(super) met: Vec<Met>,
}

/// The figures of the database that has all keys of `units`, which begin with `prefix`. `is_measured` says
/// whether the server tells sizes.
pub(super) fn content(units: &[&Unit], prefix: &[u8], is_measured: bool) -> ContentStats {
    let mut estimate = Estimate::default();
    units.iter().for_each(|unit| estimate.add(unit.estimate));
    let keys: f64 = units.iter().map(|unit| unit.keys).sum();
    let met: Vec<&Met> = units.iter().flat_map(|unit| &unit.met).collect();
    let (with_ttl, average_ttl_ms) = ttl(&met, keys);
    let measured: u64 = met.iter().map(|key| key.bytes).sum();
    let plus_minus = estimate.plus_minus().ceil() as u64;
    let rounded = estimate.bytes.round() as u64;
    let bytes = BytesEstimate {
        bytes: rounded,
        // What was seen is there, and a size has no negative values.
        low: rounded.saturating_sub(plus_minus).max(measured).min(rounded),
        high: rounded + plus_minus,
        measured: met.len() as u64,
        age_seconds: 0,
    };
    ContentStats {
        keys: keys.round() as u64,
        keys_are_exact: units.iter().all(|unit| unit.is_census),
        with_ttl,
        average_ttl_ms,
        bytes: is_measured.then_some(bytes),
        patterns: patterns(&met, prefix.len()),
        biggest: biggest(&met, prefix.len()),
    }
}

/// How many keys have a TTL, and its average.
fn ttl(met: &[&Met], keys: f64) -> (Option<u64>, Option<u64>) {
    let asked: Vec<Ttl> = met.iter().filter_map(|key| key.ttl).collect();
    if asked.is_empty() {
        return ((keys < 1.0).then_some(0), None);
    }
    let left: Vec<u64> = asked
        .iter()
        .filter_map(|ttl| match ttl {
            Ttl::Milliseconds(left) => Some(*left),
            Ttl::Never => None,
        })
        .collect();
    let share = left.len() as f64 / asked.len() as f64;
    let sum: f64 = left.iter().map(|left| *left as f64).sum();
    let average = (!left.is_empty()).then(|| (sum / left.len() as f64) as u64);
    (Some((share * keys).round() as u64), average)
}

fn patterns(met: &[&Met], prefix: usize) -> Vec<PatternStats> {
    let name = |key: &Met| key.name.get(prefix..).unwrap_or_default().to_vec();
    let mut learner = Learner::default();
    met.iter().take(LEARNT_FROM).for_each(|key| learner.add(&name(key)));
    let learnt = learner.finish();
    let selections: Vec<Selection> = learnt
        .iter()
        .map(|one| Selection { globs: vec![one.pattern.glob()], except: Vec::new() })
        .collect();
    let selector = Selector::new(&selections);
    let mut sums = vec![(0.0, 0.0); learnt.len()];
    for key in met {
        if let Some(at) = selector.first_match(&name(key)) {
            sums[at].0 += key.stands_for;
            sums[at].1 += key.stands_for * key.bytes as f64;
        }
    }
    let mut found: Vec<PatternStats> = learnt
        .iter()
        .zip(sums)
        .filter(|(_, (keys, _))| *keys > 0.0)
        .map(|(one, (keys, bytes))| PatternStats {
            pattern: one.pattern.to_string(),
            keys: keys.round() as u64,
            bytes: bytes.round() as u64,
        })
        .collect();
    found.sort_by_key(|one| Reverse((one.bytes, one.keys)));
    found.truncate(PATTERNS);
    found
}

fn biggest(met: &[&Met], prefix: usize) -> Vec<BiggestKey> {
    let mut big: Vec<&&Met> = met.iter().filter(|key| key.bytes >= BIG).collect();
    big.sort_by_key(|key| Reverse(key.bytes));
    big.truncate(BIGGEST);
    let shown = |key: &&Met| BiggestKey {
        name: crate::escape(key.name.get(prefix..).unwrap_or_default()),
        bytes: key.bytes,
    };
    big.into_iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(name: &str, bytes: u64, ttl: Ttl) -> Met {
        Met { name: name.as_bytes().to_vec(), bytes, stands_for: 10.0, ttl: Some(ttl) }
    }

    #[test]
    fn the_keys_of_a_prefix_are_shown_without_it() {
        let keys = (0..40).map(|n| met(&format!("shop:page:{n}"), 100, Ttl::Milliseconds(500)));
        let big = met("shop:file:1", 1 << 20, Ttl::Never);
        let unit = Unit { keys: 410.0, met: keys.chain([big]).collect(), ..Unit::default() };
        let found = content(&[&unit], b"shop:", true);
        assert_eq!(found.biggest[0].name, "file:1");
        let page = found.patterns.iter().find(|one| one.pattern == "page:{int}").unwrap();
        assert_eq!((page.keys, page.bytes), (400, 40_000));
        assert_eq!((found.with_ttl, found.average_ttl_ms), (Some(400), Some(500)));
        assert!(!found.keys_are_exact);
    }

    #[test]
    fn an_empty_database_has_no_keys_and_no_doubt() {
        let unit = Unit { is_census: true, ..Unit::default() };
        let found = content(&[&unit], b"", true);
        assert_eq!((found.keys, found.with_ttl, found.average_ttl_ms), (0, Some(0), None));
        assert_eq!(found.bytes, Some(BytesEstimate::default()));
        assert!(found.patterns.is_empty());
    }
}

//! Counts keys into groups, from a server or from a dump.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::definitions::Definition;
use super::estimate::{Moments, Reservoir, Total};
use super::report::{BigKey, Buckets, KeyGroupReport, Memory, TtlCounts};
use crate::KeyType;
use crate::patterns::Selector;

/// Facts about one key.
#[derive(Clone, Debug)]
pub(crate) struct KeyFacts {
    pub(crate) key_type: KeyType,
    /// Empty if unknown.
    pub(crate) encoding: &'static str,
    /// Remaining TTL.
    pub(crate) ttl_seconds: Option<u64>,
    /// Its size in bytes, if it was measured.
    pub(crate) bytes: Option<u64>,
    pub(crate) idle_seconds: Option<u64>,
    pub(crate) uses: Option<u64>,
}

/// The names of a sampled stratum that are to be measured.
#[derive(Debug)]
pub(crate) struct Sample {
    group: usize,
    encoding: &'static str,
    pub(crate) key_type: KeyType,
    pub(crate) names: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Counts {
    keys: u64,
    types: BTreeMap<KeyType, u64>,
    encodings: BTreeMap<&'static str, u64>,
    without_ttl: u64,
    ttl: Buckets,
    with_ttl: u64,
    idle: Buckets,
    uses: Buckets,
    total: Total,
    largest: u64,
    strata: BTreeMap<(&'static str, KeyType), Reservoir>,
    examples: Vec<Vec<u8>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            keys: 0,
            types: BTreeMap::new(),
            encodings: BTreeMap::new(),
            without_ttl: 0,
            ttl: Buckets::times(),
            with_ttl: 0,
            idle: Buckets::times(),
            uses: Buckets::uses(),
            total: Total::default(),
            largest: 0,
            strata: BTreeMap::new(),
            examples: Vec::new(),
        }
    }
}

type Big = Reverse<(u64, Vec<u8>, KeyType, &'static str, usize)>;

/// Counts keys by group.
#[derive(Debug)]
pub(crate) struct Collector {
    selector: Selector,
    counts: Vec<Counts>,
    biggest: BinaryHeap<Big>,
    top: usize,
}

/// Example names per group.
const EXAMPLES: usize = 3;

impl Collector {
    pub(crate) fn new(definitions: &[Definition], top: usize) -> Self {
        let selections: Vec<_> = definitions.iter().map(|one| one.selection.clone()).collect();
        Self {
            selector: Selector::new(&selections),
            counts: definitions.iter().map(|_| Counts::default()).collect(),
            biggest: BinaryHeap::new(),
            top,
        }
    }

    pub(crate) fn add(&mut self, name: &[u8], facts: &KeyFacts) {
        // The last group takes every name.
        let last = self.counts.len().saturating_sub(1);
        let group = self.selector.first_match(name).unwrap_or(last);
        let Some(counts) = self.counts.get_mut(group) else { return };
        counts.keys += 1;
        *counts.types.entry(facts.key_type).or_default() += 1;
        if !facts.encoding.is_empty() {
            *counts.encodings.entry(facts.encoding).or_default() += 1;
        }
        match facts.ttl_seconds {
            Some(left) => {
                counts.with_ttl += 1;
                counts.ttl.add(left);
            }
            None => counts.without_ttl += 1,
        }
        facts.idle_seconds.iter().for_each(|idle| counts.idle.add(*idle));
        facts.uses.iter().for_each(|uses| counts.uses.add(*uses));
        if counts.examples.len() < EXAMPLES {
            counts.examples.push(name.to_vec());
        }
        match facts.bytes {
            Some(bytes) => {
                counts.total.add_certain(bytes);
                counts.largest = counts.largest.max(bytes);
                self.offer_big(bytes, name, facts.key_type, facts.encoding, group);
            }
            None => {
                let seed = (group as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let stratum = counts.strata.entry((facts.encoding, facts.key_type));
                stratum.or_insert_with(|| Reservoir::new(seed)).offer(name);
            }
        }
    }

    fn offer_big(
        &mut self,
        bytes: u64,
        name: &[u8],
        key_type: KeyType,
        encoding: &'static str,
        group: usize,
    ) {
        let smallest = self.biggest.peek().map_or(0, |Reverse((bytes, ..))| *bytes);
        if self.biggest.len() >= self.top && bytes <= smallest {
            return;
        }
        self.biggest.push(Reverse((bytes, name.to_vec(), key_type, encoding, group)));
        if self.biggest.len() > self.top {
            self.biggest.pop();
        }
    }

    /// The names to measure; their sizes are returned through [`Collector::measured`].
    pub(crate) fn samples(&mut self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (group, counts) in self.counts.iter_mut().enumerate() {
            for ((encoding, key_type), reservoir) in &mut counts.strata {
                let names = reservoir.take_names();
                samples.push(Sample { group, encoding, key_type: *key_type, names });
            }
        }
        samples
    }

    /// Adds the sizes of a sample's keys, in the order of its names; `None` for a vanished key.
    pub(crate) fn measured(&mut self, sample: &Sample, sizes: &[Option<u64>]) {
        let mut moments = Moments::default();
        for (name, bytes) in sample.names.iter().zip(sizes) {
            let Some(bytes) = *bytes else { continue };
            moments.add(bytes);
            self.counts[sample.group].largest = self.counts[sample.group].largest.max(bytes);
            self.offer_big(bytes, name, sample.key_type, sample.encoding, sample.group);
        }
        let counts = &mut self.counts[sample.group];
        let population =
            counts.strata.get(&(sample.encoding, sample.key_type)).map_or(0, Reservoir::seen);
        counts.total.add_sampled(population, &moments);
    }

    /// Example names of a group.
    pub(crate) fn examples(&self, group: usize) -> (&[Vec<u8>], Option<KeyType>) {
        let counts = &self.counts[group];
        let only = counts.types.keys().next().filter(|_| counts.types.len() == 1);
        (&counts.examples, only.copied())
    }

    /// The non-empty groups, most memory first, and the sums over all.
    pub(crate) fn finish(self, definitions: Vec<Definition>) -> Collected {
        let mut whole = Counts::default();
        let mut groups = Vec::new();
        let names: Vec<String> = definitions.iter().map(|one| one.name.clone()).collect();
        for (order, (one, counts)) in definitions.into_iter().zip(self.counts).enumerate() {
            if counts.keys == 0 {
                continue;
            }
            whole.add(&counts);
            groups.push(report(one, counts, order));
        }
        groups.sort_by_key(|group: &KeyGroupReport| Reverse((group.memory.bytes, group.keys)));
        let mut biggest: Vec<_> = self.biggest.into_iter().map(|Reverse(one)| one).collect();
        biggest.sort_by(|a, b| b.cmp(a));
        let big =
            |(bytes, name, key_type, encoding, group): (u64, Vec<u8>, _, &str, usize)| BigKey {
                name: crate::escape(&name),
                bytes,
                key_type,
                encoding: encoding.to_owned(),
                group: names[group].clone(),
            };
        Collected {
            keys: whole.keys,
            encodings: owned(&whole.encodings),
            ttl: whole.ttl_counts(),
            idle: whole.idle,
            uses: whole.uses,
            memory: whole.total.memory(),
            types: whole.types,
            groups,
            biggest: biggest.into_iter().map(big).collect(),
        }
    }
}

/// The sums over all groups, and the groups.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) keys: u64,
    pub(crate) types: BTreeMap<KeyType, u64>,
    pub(crate) encodings: BTreeMap<String, u64>,
    pub(crate) ttl: TtlCounts,
    pub(crate) idle: Buckets,
    pub(crate) uses: Buckets,
    pub(crate) memory: Memory,
    pub(crate) groups: Vec<KeyGroupReport>,
    pub(crate) biggest: Vec<BigKey>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.keys += other.keys;
        self.with_ttl += other.with_ttl;
        self.without_ttl += other.without_ttl;
        for (key_type, keys) in &other.types {
            *self.types.entry(*key_type).or_default() += keys;
        }
        for (encoding, keys) in &other.encodings {
            *self.encodings.entry(encoding).or_default() += keys;
        }
        self.ttl.merge(&other.ttl);
        self.idle.merge(&other.idle);
        self.uses.merge(&other.uses);
        self.total.add(&other.total);
    }

    fn ttl_counts(&self) -> TtlCounts {
        TtlCounts { with: self.with_ttl, without: self.without_ttl, buckets: self.ttl.list() }
    }
}

fn owned(encodings: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    encodings.iter().map(|(name, keys)| ((*name).to_owned(), *keys)).collect()
}

fn report(one: Definition, counts: Counts, order: usize) -> KeyGroupReport {
    KeyGroupReport {
        name: one.name,
        producer: one.producer,
        perhaps: one.perhaps,
        purpose: one.purpose,
        verdict: one.verdict,
        together: one.together,
        note: one.note,
        database: one.database,
        patterns: one.patterns,
        globs: one.selection.globs.iter().map(|glob| crate::glob_text(glob)).collect(),
        order,
        keys: counts.keys,
        memory: counts.total.memory(),
        largest: counts.largest,
        ttl: counts.ttl_counts(),
        idle: counts.idle.list(),
        uses: counts.uses.list(),
        encodings: owned(&counts.encodings),
        types: counts.types,
        examples: counts.examples.iter().map(|name| crate::escape(name)).collect(),
    }
}

//! The report of an analysis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clients::ClientUse;
use crate::plan::Verdict;
use crate::{KeyType, Purpose};

/// What is in one database, who wrote it, and who is connected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Analysis {
    /// The version of this form: 1.
    pub version: u32,
    /// Where: what people call it, its server with any password hidden, its index and prefix.
    pub source: Source,
    /// When it was begun, as in `2026-11-21T11:30:00Z`.
    pub made: String,
    /// How long it took.
    pub seconds: f64,
    /// The server's state.
    pub server: ServerState,
    /// Keys that were looked at.
    pub keys: u64,
    /// Keys that a scan named and that were gone when they were asked about.
    pub vanished: u64,
    /// Keys by type.
    pub types: BTreeMap<KeyType, u64>,
    /// Keys by encoding; empty where the server does not say.
    pub encodings: BTreeMap<String, u64>,
    /// How long keys still live.
    pub ttl: TtlCounts,
    /// Keys by how long nobody has used them, in seconds; empty where the server does not say.
    pub idle: Vec<Bucket>,
    /// Keys by the server's logarithmic count of uses, under an LFU policy instead of `idle`.
    pub uses: Vec<Bucket>,
    /// The memory of its keys.
    pub memory: Memory,
    /// How the memory was found.
    pub measure: Measure,
    /// The groups, most memory first.
    pub groups: Vec<KeyGroupReport>,
    /// The biggest keys.
    pub biggest: Vec<BigKey>,
    /// Who is connected to the database and may use its keys, Compartment itself left out.
    pub clients: Vec<ClientUse>,
    /// What the server did not let one ask, and what of this report is missing therefore.
    pub missing: Vec<String>,
}

/// The place that was analysed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// What people call it.
    pub label: String,
    /// The server, any password hidden; a file's path for a dump.
    pub server: String,
    /// Redis's number of the database.
    pub index: u32,
    /// What its keys begin with, as [`crate::escape`] writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// What the server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerState {
    /// `redis` or `valkey`; empty for a dump.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Its `maxmemory-policy`, if it says.
    pub eviction_policy: Option<String>,
    /// Its `maxmemory` in bytes; 0 for none.
    pub max_memory: Option<u64>,
    /// The bytes in use, of all databases.
    pub used_memory: Option<u64>,
    /// Whether it is a read-only replica.
    pub replica: bool,
    /// Keys in each of its databases, by index.
    pub keyspace: BTreeMap<u32, u64>,
}

/// How the sizes were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// Every key, every element.
    Exact,
    /// Keys that may be big each, of the others a sample of each group and encoding.
    Sampled,
    /// From the sizes in a dump: not what a server would use to the byte.
    FromDump,
    /// Not at all: the server does not say.
    Unknown,
}

/// Bytes, and how sure they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Memory {
    /// The estimate.
    pub bytes: u64,
    /// Half the width of the interval that holds the true value in 95 of 100 runs: by how much
    /// the sample may mislead.
    pub plus_minus: u64,
    /// Keys that were measured.
    pub measured: u64,
}

/// Keys below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Values below this and not in an earlier bucket; `None` for all the rest.
    pub below: Option<u64>,
    /// How many keys.
    pub keys: u64,
}

/// How long keys still live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TtlCounts {
    /// Keys with a TTL.
    pub with: u64,
    /// Keys without.
    pub without: u64,
    /// Those with one, by the seconds they have left.
    pub buckets: Vec<Bucket>,
}

/// A group: the keys of one pattern, or of one purpose of a known program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyGroupReport {
    /// What people call it.
    pub name: String,
    /// The program that writes it, as far as is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub producer: String,
    /// Whether that is a guess by the form of the names, which others may choose too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub perhaps: bool,
    /// What it is for.
    pub purpose: Purpose,
    /// When such keys may change database.
    pub verdict: Verdict,
    /// Groups of one set move together.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub together: String,
    /// What to know before they move.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The database that `[keys]` of the map says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What the names look like: `doc:{uuid}:text`.
    pub patterns: Vec<String>,
    /// The globs, as [`crate::glob_text`] writes them; a key belongs to the first group in
    /// `order` that has a glob for it.
    pub globs: Vec<String>,
    /// The group's place in the order in which keys are held against the globs.
    pub order: usize,
    /// How many keys.
    pub keys: u64,
    /// Their memory.
    pub memory: Memory,
    /// The bytes of the biggest that was measured.
    pub largest: u64,
    /// Keys by type.
    pub types: BTreeMap<KeyType, u64>,
    /// Keys by encoding.
    pub encodings: BTreeMap<String, u64>,
    /// How long they still live.
    pub ttl: TtlCounts,
    /// By how long nobody has used them, in seconds.
    pub idle: Vec<Bucket>,
    /// By the server's count of uses.
    pub uses: Vec<Bucket>,
    /// Some of the names, as [`crate::escape`] writes them.
    pub examples: Vec<String>,
}

/// One of the biggest keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BigKey {
    /// Its name, as [`crate::escape`] writes it.
    pub name: String,
    /// Its bytes, by the server's own estimate from a few elements unless `exact` was asked for.
    pub bytes: u64,
    /// Its type.
    pub key_type: KeyType,
    /// Its encoding, where the server says.
    pub encoding: String,
    /// The group it is in.
    pub group: String,
}

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
/// Seconds that TTLs and idle times are told apart by.
const TIMES: [u64; 5] = [MINUTE, 60 * MINUTE, DAY, 7 * DAY, 30 * DAY];
/// The LFU counter: new keys begin at 5, it rarely passes 100.
const USES: [u64; 4] = [1, 6, 20, 100];

/// Counts values into buckets.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    bounds: &'static [u64],
    counts: [u64; 6],
}

impl Buckets {
    pub(crate) fn times() -> Self {
        Self { bounds: &TIMES, counts: [0; 6] }
    }

    pub(crate) fn uses() -> Self {
        Self { bounds: &USES, counts: [0; 6] }
    }

    pub(crate) fn add(&mut self, value: u64) {
        let at = self.bounds.iter().take_while(|bound| value >= **bound).count();
        self.counts[at] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }

    /// The buckets, or none when nothing was counted.
    pub(crate) fn list(&self) -> Vec<Bucket> {
        if self.counts.iter().all(|keys| *keys == 0) {
            return Vec::new();
        }
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts).map(|(below, keys)| Bucket { below, keys }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_bucket_below_whose_bound_they_are() {
        let mut buckets = Buckets::times();
        assert!(buckets.list().is_empty());
        for value in [0, 59, 60, 86_399, 86_400, u64::MAX] {
            buckets.add(value);
        }
        let counts: Vec<u64> = buckets.list().iter().map(|bucket| bucket.keys).collect();
        assert_eq!(counts, [2, 1, 1, 1, 0, 1]);
        assert_eq!(buckets.list()[5].below, None);
    }
}

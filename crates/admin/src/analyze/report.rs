//! The report of an analysis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clients::ClientUse;
use crate::plan::Verdict;
use crate::{KeyType, Purpose};

/// The contents of one database, their producers, and the connected clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Analysis {
    /// The version of this format: 1.
    pub version: u32,
    /// The place that was analysed.
    pub source: Source,
    /// When it began, such as `2026-11-21T11:30:00Z`.
    pub made: String,
    /// Duration in seconds.
    pub seconds: f64,
    /// The server's state.
    pub server: ServerState,
    /// Number of keys analysed.
    pub keys: u64,
    /// Number of keys that the scan named, but that vanished before they were read.
    pub vanished: u64,
    /// Keys by type.
    pub types: BTreeMap<KeyType, u64>,
    /// Keys by encoding; empty if the server does not report it.
    pub encodings: BTreeMap<String, u64>,
    /// The remaining TTLs of the keys.
    pub ttl: TtlCounts,
    /// Keys by idle time in seconds; empty if the server does not report it.
    pub idle: Vec<Bucket>,
    /// Keys by the server's logarithmic count of uses, under an LFU policy instead of `idle`.
    pub uses: Vec<Bucket>,
    /// The memory of its keys.
    pub memory: Memory,
    /// How the memory was measured.
    pub measure: Measure,
    /// The groups, most memory first.
    pub groups: Vec<KeyGroupReport>,
    /// The biggest keys.
    pub biggest: Vec<BigKey>,
    /// The clients that are connected to the database and may use its keys, without Compartment
    /// itself.
    pub clients: Vec<ClientUse>,
    /// Commands that the server refused, and what this report lacks therefore.
    pub missing: Vec<String>,
}

/// The place that was analysed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// Its label.
    pub label: String,
    /// The server, any password hidden; a file's path for a dump.
    pub server: String,
    /// Its index.
    pub index: u32,
    /// Prefix of its keys, as [`crate::escape`] writes it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// The server's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerState {
    /// `redis` or `valkey`; empty for a dump.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Its `maxmemory-policy`, if reported.
    pub eviction_policy: Option<String>,
    /// Its `maxmemory` in bytes; 0 for no limit.
    pub max_memory: Option<u64>,
    /// Bytes used by all databases.
    pub used_memory: Option<u64>,
    /// Whether it is a read-only replica.
    pub replica: bool,
    /// Keys in each of its databases, by index.
    pub keyspace: BTreeMap<u32, u64>,
}

/// How the sizes were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// Every element of every key was measured.
    Exact,
    /// Every key that may be big was measured, and a sample of the others per group and encoding.
    Sampled,
    /// Estimated from the sizes in a dump; a server would differ slightly.
    FromDump,
    /// Not measured: the server does not report sizes.
    Unknown,
}

/// A number of bytes with its uncertainty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Memory {
    /// The estimate.
    pub bytes: u64,
    /// Half the width of the 95 % confidence interval: the uncertainty from sampling.
    pub plus_minus: u64,
    /// Number of keys measured.
    pub measured: u64,
}

/// The number of keys in one range of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Upper bound, exclusive; `None` for the last bucket.
    pub below: Option<u64>,
    /// Number of keys.
    pub keys: u64,
}

/// The remaining TTLs of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TtlCounts {
    /// Number of keys with a TTL.
    pub with: u64,
    /// Number of keys without a TTL.
    pub without: u64,
    /// Keys with a TTL, by remaining seconds.
    pub buckets: Vec<Bucket>,
}

/// A group: the keys of one pattern, or of one purpose of a known program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyGroupReport {
    /// Its label.
    pub name: String,
    /// The program that writes the keys, if known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub producer: String,
    /// Whether the producer is a guess from the form of the names, which other programs may use
    /// too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub perhaps: bool,
    /// The purpose of the keys.
    pub purpose: Purpose,
    /// When these keys may move to another database.
    pub verdict: Verdict,
    /// Groups of one set move together.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub together: String,
    /// A remark to read before they move.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The database that `[keys]` of the map assigns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Patterns of the names, such as `doc:{uuid}:text`.
    pub patterns: Vec<String>,
    /// The globs, as [`crate::glob_text`] writes them; a key belongs to the first group in
    /// `order` that has a glob for it.
    pub globs: Vec<String>,
    /// The group's position in the order in which globs are tried.
    pub order: usize,
    /// Number of keys.
    pub keys: u64,
    /// Their memory.
    pub memory: Memory,
    /// Size of the biggest measured key, in bytes.
    pub largest: u64,
    /// Keys by type.
    pub types: BTreeMap<KeyType, u64>,
    /// Keys by encoding.
    pub encodings: BTreeMap<String, u64>,
    /// The remaining TTLs of the keys.
    pub ttl: TtlCounts,
    /// Keys by idle time in seconds.
    pub idle: Vec<Bucket>,
    /// Keys by the server's count of uses.
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
    /// Its size in bytes: the server's estimate from a few elements, unless `exact` was set.
    pub bytes: u64,
    /// Its type.
    pub key_type: KeyType,
    /// Its encoding, if reported.
    pub encoding: String,
    /// The group it is in.
    pub group: String,
}

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;
/// Bucket bounds of TTLs and idle times, in seconds.
const TIMES: [u64; 5] = [MINUTE, 60 * MINUTE, DAY, 7 * DAY, 30 * DAY];
/// Bucket bounds of the LFU counter: new keys begin at 5, and it rarely passes 100.
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

    /// The buckets; empty if nothing was counted.
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

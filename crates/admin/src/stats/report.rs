//! The figures of a deployment, for whatever shows them.

use compartment_core::DatabaseKind;
use serde::{Deserialize, Serialize};

use super::node::NodeStats;
use crate::ClientUse;

/// The figures of every database and server of a map at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// The version of this form: 1.
    pub version: u32,
    /// When they were read, as in `2026-11-21T11:30:00Z`.
    pub made: String,
    /// Seconds since the last look; `None` for the first.
    pub since_last_seconds: Option<f64>,
    /// The databases of the map, in its order.
    pub databases: Vec<DatabaseStats>,
    /// The instances of the map, by name.
    pub instances: Vec<InstanceStats>,
    /// What a server does not let one ask, and what is missing therefore.
    pub missing: Vec<String>,
}

/// The figures of a named database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DatabaseStats {
    /// Its name in the map.
    pub name: String,
    /// Its instance.
    pub instance: String,
    /// Redis's number of its database.
    pub index: u32,
    /// What its keys begin with, as [`crate::escape`] writes it; empty where it has an index to itself.
    pub prefix: String,
    /// Its kind.
    pub kind: DatabaseKind,
    /// Its keys; `None` where the server was not reached.
    pub content: Option<ContentStats>,
    /// Its budget in bytes.
    pub budget_bytes: Option<u64>,
    /// How it has changed since the last look; `None` at the first.
    pub growth: Option<Growth>,
    /// Connections that have its index selected, Compartment's administration left out; `None` where the
    /// server does not list them.
    pub connections: Option<u64>,
}

impl DatabaseStats {
    /// The share of its budget that it uses, 1 for all; `None` where either is not known.
    #[must_use]
    pub fn budget_used(&self) -> Option<f64> {
        let bytes = self.content.as_ref()?.bytes?.bytes;
        Some(bytes as f64 / self.budget_bytes.filter(|budget| *budget > 0)? as f64)
    }
}

/// The keys of one database.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ContentStats {
    /// How many.
    pub keys: u64,
    /// Whether that is a count. It is an estimate where a prefix shares its index with others.
    pub keys_are_exact: bool,
    /// Those with a TTL; estimated where `keys` is.
    pub with_ttl: Option<u64>,
    /// What a key with a TTL has left of it on average, in milliseconds.
    pub average_ttl_ms: Option<u64>,
    /// Their memory; `None` where the server does not allow `MEMORY USAGE`.
    pub bytes: Option<BytesEstimate>,
    /// The patterns with most memory, by the sample.
    pub patterns: Vec<PatternStats>,
    /// The biggest keys that were met.
    pub biggest: Vec<BiggestKey>,
}

/// Bytes, and the interval that holds the true sum in at least 95 of 100 looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BytesEstimate {
    /// The estimate of the sum of `MEMORY USAGE` over all keys.
    pub bytes: u64,
    /// The lower end of the interval.
    pub low: u64,
    /// The upper end.
    pub high: u64,
    /// Keys that were measured.
    pub measured: u64,
    /// How old it is: an estimate is kept between looks.
    pub age_seconds: u64,
}

/// The keys of one pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PatternStats {
    /// What the names look like: `doc:{uuid}:text`.
    pub pattern: String,
    /// About how many keys.
    pub keys: u64,
    /// About how many bytes.
    pub bytes: u64,
}

/// A big key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BiggestKey {
    /// Its name without the prefix of the database, as [`crate::escape`] writes it.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

/// Change since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Growth {
    /// Over how many seconds.
    pub seconds: f64,
    /// Keys more, or fewer.
    pub keys: i64,
    /// Bytes more, or fewer; `None` where the difference is within both intervals.
    pub bytes: Option<i64>,
}

/// The figures of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceStats {
    /// Its name in the map.
    pub name: String,
    /// Its address, the password hidden.
    pub address: String,
    /// Why it could not be asked.
    pub problem: Option<String>,
    /// The server, or each master of a cluster.
    pub nodes: Vec<NodeStats>,
    /// Databases with keys that the map does not name.
    pub unnamed: Vec<UnnamedStats>,
    /// Who is connected, by database and name; `None` where the server does not list them.
    pub clients: Option<Vec<ClientUse>>,
    /// Processes that are proving at this moment, by a key that goes by itself, that the databases of their
    /// map are apart.
    pub probes: Vec<Probe>,
    /// What the last estimate of bytes cost.
    pub cost: Option<EstimateCost>,
}

/// A numbered database, or the part of one that no prefix of the map has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnnamedStats {
    /// Redis's number of the database.
    pub index: u32,
    /// Its keys.
    pub content: ContentStats,
}

/// A key that a process of this library writes for a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Probe {
    /// Redis's number of the database that the key is in.
    pub index: u32,
    /// The process that wrote it, by its number on its own machine.
    pub process: u32,
    /// What it is for: `canary` proves that databases are apart.
    pub purpose: String,
}

/// What an estimate cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EstimateCost {
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Commands sent.
    pub commands: u64,
    /// Seconds of the server's processor meanwhile, other clients' work included; `None` where the server
    /// does not tell.
    pub server_seconds: Option<f64>,
}

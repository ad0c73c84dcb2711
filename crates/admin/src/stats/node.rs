//! The figures of one server, or of one master of a cluster.

use std::collections::BTreeMap;

use compartment_redis::Connection;
use serde::{Deserialize, Serialize};

use super::events::{LatencyEvent, SlowLog};
use crate::info::Info;

/// The figures of a server. What it does not tell is `None`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeStats {
    /// Its address, the password hidden.
    pub location: String,
    /// Its version; empty where it hides `INFO`.
    pub version: String,
    /// Its mark of this run of it.
    pub run_id: Option<String>,
    /// Whether it is a replica.
    pub is_replica: Option<bool>,
    /// For how long it has run, in seconds.
    pub uptime_seconds: Option<u64>,
    /// Its memory.
    pub memory: MemoryStats,
    /// Its connections.
    pub connections: ConnectionStats,
    /// What it does.
    pub work: WorkStats,
    /// Slow commands; `None` where it does not tell.
    pub slow_log: Option<SlowLog>,
    /// Events that took long; empty too where `latency-monitor-threshold` is not set.
    pub latency_events: Vec<LatencyEvent>,
    /// How it saves.
    pub persistence: PersistenceStats,
    /// How it replicates.
    pub replication: ReplicationStats,
    /// Its counters, from which rates are made.
    pub counters: Counters,
}

/// Memory of a server, in bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MemoryStats {
    /// In use.
    pub used: Option<u64>,
    /// The most that was in use.
    pub peak: Option<u64>,
    /// `maxmemory`; 0 for none.
    pub limit: Option<u64>,
    /// Of the machine.
    pub system: Option<u64>,
    /// What the operating system has given it, by what it uses.
    pub fragmentation: Option<f64>,
    /// Its `maxmemory-policy`.
    pub policy: Option<String>,
}

impl MemoryStats {
    /// The share in use of `maxmemory`, or of the machine's memory where there is no limit.
    #[must_use]
    pub fn used_share(&self) -> Option<f64> {
        let most = self.limit.filter(|limit| *limit > 0).or(self.system)?;
        (most > 0).then_some(self.used? as f64 / most as f64)
    }
}

/// Connections of a server.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Connected clients.
    pub connected: Option<u64>,
    /// Those that wait for an element.
    pub blocked: Option<u64>,
    /// The most that it takes.
    pub max: Option<u64>,
}

/// What a server does. Rates are of the time since the last look, and `None` at the first, unless the server
/// gives them itself.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkStats {
    /// Commands, a second.
    pub commands_per_second: Option<f64>,
    /// Bytes received, a second.
    pub input_bytes_per_second: Option<f64>,
    /// Bytes sent, a second.
    pub output_bytes_per_second: Option<f64>,
    /// Keys that expired, a second.
    pub expired_per_second: Option<f64>,
    /// Keys that were evicted, a second.
    pub evicted_per_second: Option<f64>,
    /// Reads that found their key, of [`WorkStats::reads`], 0 to 1.
    pub hit_rate: Option<f64>,
    /// Reads since the last look, or else since it started.
    pub reads: Option<u64>,
    /// Seconds of processor a second, 1 for one processor.
    pub processor: Option<f64>,
}

/// How a server saves.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PersistenceStats {
    /// Whether it writes an append-only file.
    pub appends: Option<bool>,
    /// Seconds since the last snapshot.
    pub last_save_seconds: Option<u64>,
    /// Writes since the last snapshot.
    pub changes_since_save: Option<u64>,
    /// Whether the last snapshot, or the last writing of the append-only file, failed.
    pub has_failed: Option<bool>,
    /// It is loading its file.
    pub is_loading: Option<bool>,
}

/// How a server replicates.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplicationStats {
    /// Replicas that are connected.
    pub replicas: Option<u64>,
    /// Of a replica: whether its link to the master is up.
    pub is_link_up: Option<bool>,
    /// Of a master: how many bytes the replica that is furthest behind has yet to confirm.
    pub lag_bytes: Option<u64>,
}

/// Counters of a server since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counters {
    /// Commands.
    pub commands: Option<u64>,
    /// Keys that expired.
    pub expired: Option<u64>,
    /// Keys that were evicted.
    pub evicted: Option<u64>,
    /// Reads that found their key.
    pub hits: Option<u64>,
    /// Reads that did not.
    pub misses: Option<u64>,
    /// Bytes received.
    pub input_bytes: Option<u64>,
    /// Bytes sent.
    pub output_bytes: Option<u64>,
    /// Seconds of processor.
    pub processor: Option<f64>,
}

/// What `INFO` says of one numbered database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keyspace {
    pub(super) keys: u64,
    pub(super) with_ttl: u64,
    pub(super) average_ttl_ms: u64,
}

/// The keyspace by index.
pub(super) fn keyspace(info: &Info) -> BTreeMap<u32, Keyspace> {
    let of = |(index, keys)| {
        let field = format!("db{index}");
        let part = |part| info.part(&field, part).unwrap_or(0);
        let (with_ttl, average_ttl_ms) = (part("expires"), part("avg_ttl"));
        (index, Keyspace { keys, with_ttl, average_ttl_ms })
    };
    info.keys_by_index().into_iter().map(of).collect()
}

/// Seconds that the server's processor has worked: of its main thread, where it tells.
pub(super) fn processor_seconds(info: &Info) -> Option<f64> {
    let sum =
        |user: &str, system: &str| Some(info.number::<f64>(user)? + info.number::<f64>(system)?);
    sum("used_cpu_user_main_thread", "used_cpu_sys_main_thread")
        .or_else(|| sum("used_cpu_user", "used_cpu_sys"))
}

impl NodeStats {
    /// Reads the answer of `INFO`, and asks for slow commands and events.
    pub(super) async fn of(node: &mut Connection, info: &Info) -> Self {
        let mut stats = Self::read(info);
        stats.location = node.location().to_owned();
        stats.slow_log = SlowLog::ask(node).await;
        stats.latency_events = LatencyEvent::ask(node).await;
        stats
    }

    fn read(info: &Info) -> Self {
        let valkey = info.get("valkey_version").map(|version| format!("valkey {version}"));
        let version =
            valkey.or_else(|| info.get("redis_version").map(|version| format!("redis {version}")));
        let replica = info.get("role").map(|role| role == "slave");
        Self {
            version: version.unwrap_or_default(),
            run_id: info.get("run_id").map(str::to_owned),
            is_replica: replica,
            uptime_seconds: info.number("uptime_in_seconds"),
            memory: MemoryStats {
                used: info.number("used_memory"),
                peak: info.number("used_memory_peak"),
                limit: info.number("maxmemory"),
                system: info.number("total_system_memory"),
                fragmentation: info.number("mem_fragmentation_ratio"),
                policy: info.get("maxmemory_policy").map(str::to_owned),
            },
            connections: ConnectionStats {
                connected: info.number("connected_clients"),
                blocked: info.number("blocked_clients"),
                max: info.number("maxclients"),
            },
            work: WorkStats {
                commands_per_second: info.number("instantaneous_ops_per_sec"),
                ..WorkStats::default()
            },
            persistence: persistence(info),
            replication: ReplicationStats {
                replicas: info.number("connected_slaves"),
                is_link_up: (replica == Some(true))
                    .then(|| info.get("master_link_status") == Some("up")),
                lag_bytes: lag(info),
            },
            counters: Counters {
                commands: info.number("total_commands_processed"),
                expired: info.number("expired_keys"),
                evicted: info.number("evicted_keys"),
                hits: info.number("keyspace_hits"),
                misses: info.number("keyspace_misses"),
                input_bytes: info.number("total_net_input_bytes"),
                output_bytes: info.number("total_net_output_bytes"),
                processor: processor_seconds(info),
            },
            ..Self::default()
        }
    }

    /// Makes rates of its counters and those of `seconds` ago. A server that has started again since then has
    /// counted from 0.
    pub(super) fn rate(&mut self, before: Option<&Counters>, seconds: f64) {
        let now = self.counters;
        let since = |now: Option<u64>, before: Option<u64>| now?.checked_sub(before?);
        (self.work.hit_rate, self.work.reads) = hit_rate(now.hits, now.misses);
        let Some(before) = before.filter(|_| seconds > 0.0) else { return };
        // A server that has started again since has counted from 0.
        if now.hits >= before.hits && now.misses >= before.misses {
            let hits = since(now.hits, before.hits);
            (self.work.hit_rate, self.work.reads) =
                hit_rate(hits, since(now.misses, before.misses));
        }
        let rate = |now, before| Some(since(now, before)? as f64 / seconds);
        let commands = rate(now.commands, before.commands);
        self.work = WorkStats {
            commands_per_second: commands.or(self.work.commands_per_second),
            input_bytes_per_second: rate(now.input_bytes, before.input_bytes),
            output_bytes_per_second: rate(now.output_bytes, before.output_bytes),
            expired_per_second: rate(now.expired, before.expired),
            evicted_per_second: rate(now.evicted, before.evicted),
            hit_rate: self.work.hit_rate,
            reads: self.work.reads,
            processor: now
                .processor
                .zip(before.processor)
                .map(|(now, before)| (now - before).max(0.0) / seconds),
        };
    }
}

/// The share of hits, and the number of reads that it is of.
fn hit_rate(hits: Option<u64>, misses: Option<u64>) -> (Option<f64>, Option<u64>) {
    let reads = hits.zip(misses).and_then(|(hits, misses)| hits.checked_add(misses));
    let rate = hits.zip(reads.filter(|reads| *reads > 0));
    (rate.map(|(hits, reads)| hits as f64 / reads as f64), reads)
}

fn persistence(info: &Info) -> PersistenceStats {
    let now = jiff::Timestamp::now().as_second();
    let saved: Option<i64> = info.number("rdb_last_save_time");
    let is = |field: &str, value: &str| info.get(field).map(|found| found == value);
    let failed = [
        is("rdb_last_bgsave_status", "err"),
        is("aof_last_write_status", "err"),
        is("aof_last_bgrewrite_status", "err"),
    ];
    PersistenceStats {
        appends: is("aof_enabled", "1"),
        last_save_seconds: saved.and_then(|saved| u64::try_from(now - saved).ok()),
        changes_since_save: info.number("rdb_changes_since_last_save"),
        has_failed: failed.iter().flatten().copied().reduce(|one, other| one || other),
        is_loading: is("loading", "1"),
    }
}

/// The bytes that the slowest replica has yet to confirm.
fn lag(info: &Info) -> Option<u64> {
    let offset: u64 = info.number("master_repl_offset")?;
    let replicas: u64 = info.number("connected_slaves")?;
    let behind = |number| {
        let confirmed: u64 = info.part(&format!("slave{number}"), "offset")?;
        Some(offset.saturating_sub(confirmed))
    };
    (0..replicas.min(64)).filter_map(behind).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "redis_version:7.0.15\r\nrun_id:abc\r\nused_memory:900\r\nmaxmemory:1000\r\n\
        total_system_memory:9000\r\nkeyspace_hits:30\r\nkeyspace_misses:10\r\nexpired_keys:5\r\n\
        total_commands_processed:100\r\nrdb_last_bgsave_status:ok\r\naof_last_write_status:err\r\n\
        role:master\r\nconnected_slaves:2\r\nmaster_repl_offset:1000\r\n\
        slave0:ip=a,port=1,state=online,offset=990,lag=0\r\n\
        slave1:ip=b,port=1,state=online,offset=700,lag=1\r\ndb3:keys=7,expires=2,avg_ttl=900\r\n";

    #[test]
    fn rates_are_of_the_time_since_the_last_look() {
        let mut stats = NodeStats::read(&Info::read(INFO));
        assert_eq!(stats.memory.used_share(), Some(0.9));
        assert_eq!(stats.persistence.has_failed, Some(true));
        assert_eq!(stats.replication.lag_bytes, Some(300));
        let before = Counters {
            commands: Some(60),
            expired: Some(9),
            hits: Some(10),
            misses: Some(10),
            ..Counters::default()
        };
        stats.rate(Some(&before), 2.0);
        assert_eq!(stats.work.commands_per_second, Some(20.0));
        assert_eq!(stats.work.hit_rate, Some(1.0));
        assert_eq!(stats.work.expired_per_second, None, "the counter began again");
    }

    #[test]
    fn a_server_that_tells_nothing_has_no_figures() {
        let mut stats = NodeStats::read(&Info::default());
        stats.rate(Some(&Counters::default()), 1.0);
        assert_eq!(stats.memory.used_share(), None);
        assert_eq!((stats.work.hit_rate, stats.is_replica), (None, None));
        assert_eq!(stats.replication.is_link_up, None);
        assert_eq!(stats.persistence.has_failed, None);
    }

    #[test]
    fn the_first_look_has_the_hit_rate_since_the_server_started() {
        let mut stats = NodeStats::read(&Info::read(INFO));
        stats.rate(None, 0.0);
        assert_eq!(stats.work.hit_rate, Some(0.75));
        let found = keyspace(&Info::read(INFO));
        assert_eq!(found[&3], Keyspace { keys: 7, with_ttl: 2, average_ttl_ms: 900 });
    }
}

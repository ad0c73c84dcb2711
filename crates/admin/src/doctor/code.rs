//! The stable codes of findings, and how serious a finding is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing: nothing is lost by it today.
    Notice,
    /// A contract is broken, or will be when the load grows or a process ends.
    Warning,
    /// Keys are lost or refused, or will be at the next restart, eviction or write.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The subject of a finding. The text of a code never changes; `docs/doctor.md` has the reason and
        /// the cure of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// Every code, by subject.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it is shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// The eviction policy takes keys of durable databases.
    DurableEvictable = "durable-evictable",
    /// The eviction policy takes keys of coordination databases.
    CoordinationEvictable = "coordination-evictable",
    /// A cache without a budget can fill a server that never evicts.
    CacheUnbounded = "cache-unbounded",
    /// The server has no `maxmemory`.
    NoMaxmemory = "no-maxmemory",
    /// `maxmemory` is more than the machine has.
    MaxmemoryAboveMemory = "maxmemory-above-memory",
    /// A server that never evicts is almost full.
    MemoryNearlyFull = "memory-nearly-full",
    /// The budgets of a server's databases are more than its `maxmemory`.
    BudgetsAboveLimit = "budgets-above-limit",
    /// The server's settings are not those that the map expects.
    SettingsDiffer = "settings-differ",
    /// Keys of a cache or coordination database have no TTL.
    KeyWithoutTtl = "key-without-ttl",
    /// Keys of a durable database have a TTL where such keys are evicted.
    DurableKeyEvictable = "durable-key-evictable",
    /// Keys of a template are in another database than the template's.
    KeyInWrongDatabase = "key-in-wrong-database",
    /// A key is so large that handling it delays everybody.
    BigKey = "big-key",
    /// A key is used far more often than others.
    HotKey = "hot-key",
    /// Durable databases on a server that writes nothing to disk.
    DurableNotPersisted = "durable-not-persisted",
    /// Durable databases on a server that writes snapshots only.
    SnapshotsOnly = "snapshots-only",
    /// The server cannot write its files.
    SaveFails = "save-fails",
    /// The append-only file reaches the disk when the operating system sees fit.
    FsyncLeftToSystem = "fsync-left-to-system",
    /// The URL of an instance leads to a replica.
    OnReplica = "on-replica",
    /// A replica that may be promoted has other settings than its master.
    ReplicaSettingsDiffer = "replica-settings-differ",
    /// An instance cannot be reached.
    InstanceUnreachable = "instance-unreachable",
    /// Two databases of different instances are in one place.
    PlaceShared = "place-shared",
    /// Two instances are one server.
    ServerShared = "server-shared",
    /// The server accepts `SELECT` and ignores it.
    SelectIgnored = "select-ignored",
    /// The server has fewer numbered databases than the map needs.
    TooFewDatabases = "too-few-databases",
    /// Keys that no database of the map has.
    UnnamedKeys = "unnamed-keys",
    /// A file holds a password.
    SecretInFile = "secret-in-file",
    /// Keys and passwords cross the network without TLS.
    NoTls = "no-tls",
    /// The default user needs no password.
    DefaultUserWithoutPassword = "default-user-without-password",
    /// Almost all connections of the server are in use.
    ConnectionsNearlyUsed = "connections-nearly-used",
    /// One process may open more connections than the server takes.
    PoolAboveMaxclients = "pool-above-maxclients",
    /// The server closes connections that are idle for a moment.
    IdleConnectionsClosed = "idle-connections-closed",
    /// The server keeps connections of clients that are gone.
    DeadClientsKept = "dead-clients-kept",
    /// The map gives the server too little time to answer.
    ResponseTimeoutShort = "response-timeout-short",
    /// A slow subscriber may fill the server's memory.
    PubsubBufferUnlimited = "pubsub-buffer-unlimited",
    /// A queue's keys may be evicted.
    QueueEvictable = "queue-evictable",
    /// Locks of a program may be evicted.
    LockEvictable = "lock-evictable",
    /// A program that clears its cache by `FLUSHDB` shares its index.
    ClearFlushesOthers = "clear-flushes-others",
    /// A program needs keyspace notifications that the server does not send.
    NotificationsMissing = "notifications-missing",
    /// Celery's messages wait for a worker that is gone.
    UnackedIdle = "unacked-idle",
    /// Replies to Celery's remote control that nobody reads.
    PidboxOrphaned = "pidbox-orphaned",
    /// The server's version gets no fixes any more.
    VersionEndOfLife = "version-end-of-life",
    /// The server's clock differs from that of this machine.
    ClockDiffers = "clock-differs",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_explains_every_code_and_no_other() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        // A published package has no pages.
        if !docs.is_dir() {
            return;
        }
        let page = std::fs::read_to_string(docs.join("doctor.md")).unwrap();
        let heading = |line: &str| line.strip_prefix("### `")?.strip_suffix('`').map(str::to_owned);
        let explained: Vec<String> = page.lines().filter_map(heading).collect();
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(explained, codes);
        for section in page.split("\n### ").skip(1) {
            let text = section.split("\n## ").next().unwrap_or_default();
            assert!(text.contains("\n- Reason: ") && text.contains("\n- Cure: "), "{section}");
        }
    }

    #[test]
    fn codes_differ_and_are_shown_as_they_are_written() {
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert_eq!(serde_json::to_string(&Code::BigKey).unwrap(), "\"big-key\"");
        assert!(Severity::Notice < Severity::Warning && Severity::Warning < Severity::Critical);
    }
}

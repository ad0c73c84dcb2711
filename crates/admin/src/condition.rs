//! The condition of a server, which decides whether keys may be read from it or written to it.

use compartment_redis::Connection;

use crate::info::Info;
use crate::setting::setting;
use crate::{Place, Result};

/// The state of one server, or of one node of a cluster. Facts that it does not report are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Address of the node, its password hidden.
    pub(crate) location: String,
    /// Its link to a master; `None` for a master, or if not reported.
    pub(crate) replica: Option<Replication>,
    pub(crate) used_memory: Option<u64>,
    /// `maxmemory` in bytes; 0 for no limit.
    pub(crate) max_memory: Option<u64>,
    pub(crate) policy: Option<String>,
    /// Keys evicted since it started.
    pub(crate) evicted: Option<u64>,
    /// Whether writes survive a restart.
    pub(crate) persists: Option<bool>,
    /// Its `run_id`, which changes with each restart.
    pub(crate) run_id: Option<String>,
}

/// A replica's link to its master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replication {
    pub(crate) link_is_up: bool,
    /// A full synchronisation is in progress.
    pub(crate) is_syncing: bool,
    /// Seconds since the link broke; `None` if there never was one.
    pub(crate) down_seconds: Option<u64>,
}

impl Condition {
    /// The condition of each node that has keys of the place: one, or the masters of a cluster.
    ///
    /// # Errors
    /// When a node cannot be reached. A refused `INFO` is not an error.
    pub(crate) async fn of(place: &Place) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for mut node in place.open_nodes("condition").await? {
            let mut condition = Self::ask(&mut node).await;
            condition.persists = persists(&mut node, condition.persists).await;
            if condition.policy.is_none() {
                condition.policy = place.server().info().eviction_policy.clone();
            }
            found.push(condition);
        }
        Ok(found)
    }

    /// The facts from `INFO`.
    pub(crate) async fn ask(node: &mut Connection) -> Self {
        // Those who hide it hide it from all: the work goes on without.
        let info = Info::ask(node, &[]).await.unwrap_or_default();
        Self::of_info(node.location().to_owned(), &info)
    }

    /// The condition of the node at `location` by its `INFO`.
    pub(crate) fn of_info(location: String, info: &Info) -> Self {
        let mut condition = Self { location, ..Self::default() };
        condition.read(info);
        condition
    }

    fn read(&mut self, info: &Info) {
        self.used_memory = info.number("used_memory");
        self.max_memory = info.number("maxmemory");
        self.policy = info.get("maxmemory_policy").map(str::to_owned);
        self.evicted = info.number("evicted_keys");
        self.persists = info.get("aof_enabled").map(|enabled| enabled == "1");
        self.run_id = info.get("run_id").map(str::to_owned);
        self.replica = (info.get("role") == Some("slave")).then(|| Replication {
            link_is_up: info.get("master_link_status") == Some("up"),
            is_syncing: info.get("master_sync_in_progress") == Some("1"),
            down_seconds: info.number("master_link_down_since_seconds"),
        });
    }

    /// Whether it evicts keys when it reaches its memory limit.
    pub(crate) fn may_evict(&self) -> bool {
        let evicts = self.policy.as_deref().is_some_and(|policy| policy != "noeviction");
        evicts && self.max_memory.is_some_and(|max| max > 0)
    }

    /// Bytes left below its limit; `None` without a limit.
    pub(crate) fn free_memory(&self) -> Option<u64> {
        let max = self.max_memory.filter(|max| *max > 0)?;
        Some(max.saturating_sub(self.used_memory?))
    }
}

/// Number of keys that the place's server has evicted since it started; 0 if not reported.
pub(crate) async fn evicted_keys(place: &Place) -> u64 {
    let found = Condition::of(place).await.unwrap_or_default();
    found.iter().filter_map(|one| one.evicted).sum()
}

/// Identifies the servers' current run, to detect a restart or an eviction that may have lost keys.
/// Facts that are not reported are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    run: Option<String>,
    pub(crate) evicted: Option<u64>,
}

const UNKNOWN: &str = "unknown";

impl Life {
    pub(crate) async fn of(place: &Place) -> Result<Self> {
        let found = Condition::of(place).await?;
        let evicted = found.iter().map(|one| one.evicted).sum();
        let runs: Vec<String> = found.into_iter().filter_map(|one| one.run_id).collect();
        Ok(Self { run: (!runs.is_empty()).then(|| runs.join(",")), evicted })
    }

    /// Its form in a journal.
    pub(crate) fn word(&self) -> String {
        let evicted = self.evicted.map_or_else(|| UNKNOWN.to_owned(), |count| count.to_string());
        format!("{}/{evicted}", self.run.as_deref().unwrap_or(UNKNOWN))
    }

    /// Reads [`Life::word`].
    pub(crate) fn read(word: &str) -> Self {
        let (run, evicted) = word.split_once('/').unwrap_or((word, UNKNOWN));
        let run = (run != UNKNOWN).then(|| run.to_owned());
        Self { run, evicted: evicted.parse().ok() }
    }

    /// Why a missing key may have been lost since `then`, by a restart or an eviction; `None` if it
    /// must have been deleted or have expired.
    pub(crate) fn may_have_lost_since(&self, then: &Self) -> Option<&'static str> {
        match (&self.run, &then.run) {
            (Some(now), Some(then)) if now == then => {}
            (Some(_), Some(_)) => return Some("has restarted since, and may have lost keys"),
            _ => return Some("does not tell whether it has restarted since (INFO: run_id)"),
        }
        match (self.evicted, then.evicted) {
            (Some(now), Some(then)) if now == then => None,
            (Some(_), Some(_)) => Some("has evicted keys since"),
            _ => Some("does not tell whether it has evicted keys (INFO: evicted_keys)"),
        }
    }
}

/// Whether the server writes an append-only file or snapshots; `appends` is the value of
/// `aof_enabled` in `INFO`.
async fn persists(node: &mut Connection, appends: Option<bool>) -> Option<bool> {
    if appends == Some(true) {
        return appends;
    }
    setting(node, "save").await.ok()?.map(|times| !times.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Condition {
        let mut condition = Condition::default();
        condition.read(&Info::read(text));
        condition
    }

    #[test]
    fn a_replica_that_never_synced_is_told_from_one_that_lost_its_master() {
        let never = read(
            "role:slave\r\nmaster_link_status:down\r\nmaster_sync_in_progress:0\r\nmaster_link_down_since_seconds:-1\r\n",
        );
        assert_eq!(never.replica, Some(Replication::default()));
        let lost =
            read("role:slave\r\nmaster_link_status:down\r\nmaster_link_down_since_seconds:7\r\n");
        assert_eq!(lost.replica.unwrap().down_seconds, Some(7));
        let up = read("role:slave\r\nmaster_link_status:up\r\n");
        assert!(up.replica.unwrap().link_is_up);
        assert_eq!(read("role:master\r\n").replica, None);
        assert_eq!(read(""), Condition::default());
    }

    #[test]
    fn a_key_was_deleted_where_its_server_has_neither_restarted_nor_evicted() {
        let now = Life::read("abc/7");
        assert_eq!((now.word().as_str(), now.may_have_lost_since(&now)), ("abc/7", None));
        let lost = |then: &str| now.may_have_lost_since(&Life::read(then)).unwrap_or("nothing");
        assert!(lost("abd/7").contains("restarted"));
        assert!(lost("abc/6").contains("evicted"));
        // Counters can be reset.
        assert!(lost("abc/8").contains("evicted"));
        assert!(lost("unknown/7").contains("does not tell whether it has restarted"));
        assert!(lost("abc").contains("does not tell whether it has evicted"));
        assert_eq!(Life::read("unknown/unknown"), Life { run: None, evicted: None });
    }

    #[test]
    fn a_server_evicts_where_it_has_a_limit_and_a_policy() {
        let evicts = |text: &str| read(text).may_evict();
        assert!(evicts("maxmemory:5\r\nmaxmemory_policy:allkeys-lru\r\n"));
        assert!(evicts("maxmemory:5\r\nmaxmemory_policy:volatile-ttl\r\n"));
        assert!(!evicts("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n"));
        assert!(!evicts("maxmemory:5\r\nmaxmemory_policy:noeviction\r\n"));
        assert_eq!(read("used_memory:3\r\nmaxmemory:5\r\n").free_memory(), Some(2));
        assert_eq!(read("used_memory:9\r\nmaxmemory:5\r\n").free_memory(), Some(0));
        assert_eq!(read("used_memory:9\r\nmaxmemory:0\r\n").free_memory(), None);
    }
}

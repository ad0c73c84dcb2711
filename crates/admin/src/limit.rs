//! The memory limit and the eviction policy of a server: checked against the kinds of its databases, then set.

use compartment_core::{Contract, DatabaseKind, ErrorKind};
use compartment_redis::{Connection, is_hidden};
use serde::Serialize;

use crate::deployment::DeployedServer;
use crate::info::Info;
use crate::own_name::own_name;
use crate::policy::{may_evict, unbounded_caches};
use crate::setting::setting;
use crate::{AdminError, Result, size};

/// The policies that Redis and Valkey know.
pub const POLICIES: [&str; 8] = [
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

/// The settings that are wanted. `None` leaves a setting as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitOptions {
    /// `maxmemory` in bytes; 0 for no limit.
    pub max_memory: Option<u64>,
    /// `maxmemory-policy`.
    pub policy: Option<String>,
    /// Whether the settings are changed. Otherwise they are checked only.
    pub apply: bool,
    /// Whether a server may be given less memory than it uses.
    pub below_usage: bool,
    /// Whether a policy may evict keys that the contract of their database keeps.
    pub accept_eviction: bool,
    /// The settings of each node as they were looked at before. If they are others by now, nothing is changed.
    pub expected: Option<Vec<MemorySettings>>,
}

/// The two settings of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemorySettings {
    /// `maxmemory` in bytes; 0 for no limit.
    pub max_memory: u64,
    /// `maxmemory-policy`.
    pub policy: String,
}

/// One server, or one node of a cluster.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LimitedNode {
    /// Its address, any password hidden.
    pub location: String,
    /// Its settings as they were.
    pub before: MemorySettings,
    /// Its settings as they are, or would be.
    pub after: MemorySettings,
    /// Bytes that it uses, if it reports them.
    pub used_memory: Option<u64>,
    /// Bytes of its machine, if it reports them.
    pub machine_memory: Option<u64>,
}

/// The result of a change of limits.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct LimitReport {
    /// Whether the settings were changed.
    pub applied: bool,
    /// Each node.
    pub nodes: Vec<LimitedNode>,
    /// Reasons for a refusal; empty if it would run.
    pub refusals: Vec<String>,
    /// Remarks, one sentence each.
    pub notes: Vec<String>,
}

/// Checks the settings against the databases of `server`, and changes them with [`LimitOptions::apply`]. They last
/// until the server restarts, unless its operator writes them to its configuration.
///
/// # Errors
/// [`AdminError::Invalid`] for an unknown policy, or if nothing is wanted. [`AdminError::Unsafe`] when it is to apply
/// and is refused, with every reason, and [`AdminError::Moved`] when the settings are not [`LimitOptions::expected`]:
/// nothing was changed. [`AdminError::Server`] if the server does not let this user
/// read or change its configuration.
pub async fn limit(server: &DeployedServer, options: &LimitOptions) -> Result<LimitReport> {
    check(options)?;
    let mut connections = server.server.open_nodes(0, &own_name("limit")).await?;
    let mut report = LimitReport { applied: options.apply, ..LimitReport::default() };
    for connection in &mut connections {
        report.nodes.push(look(connection, options).await?);
    }
    if let Some(expected) = &options.expected
        && !report.nodes.iter().map(|node| &node.before).eq(expected)
    {
        let what = "no setting was changed: the settings are no longer those that were looked at";
        return Err(AdminError::Moved(what.to_owned()));
    }
    let contracts: Vec<&Contract> = server.databases.iter().map(|one| &one.contract).collect();
    for node in &report.nodes {
        judge(node, &contracts, options, &mut report.refusals, &mut report.notes);
    }
    report.refusals.dedup();
    report.notes.dedup();
    if !options.apply {
        return Ok(report);
    }
    if !report.refusals.is_empty() {
        let why = report.refusals.join("; ");
        return Err(AdminError::Unsafe(format!("no setting was changed: {why}")));
    }
    for (connection, node) in connections.iter_mut().zip(&report.nodes) {
        set(connection, node).await?;
    }
    Ok(report)
}

fn check(options: &LimitOptions) -> Result<()> {
    if options.max_memory.is_none() && options.policy.is_none() {
        let what = "say which limit to set: --max-memory, --policy, or both";
        return Err(AdminError::Invalid(what.to_owned()));
    }
    match &options.policy {
        Some(policy) if !POLICIES.contains(&policy.as_str()) => Err(AdminError::Invalid(format!(
            "there is no policy {policy:?}; Redis has {}",
            POLICIES.join(", ")
        ))),
        _ => Ok(()),
    }
}

async fn look(connection: &mut Connection, options: &LimitOptions) -> Result<LimitedNode> {
    let max_memory = setting(connection, "maxmemory").await.map_err(not_permitted)?;
    let policy = setting(connection, "maxmemory-policy").await.map_err(not_permitted)?;
    let before = MemorySettings {
        max_memory: max_memory.and_then(|bytes| bytes.parse().ok()).unwrap_or_default(),
        policy: policy.unwrap_or_default(),
    };
    let after = MemorySettings {
        max_memory: options.max_memory.unwrap_or(before.max_memory),
        policy: options.policy.clone().unwrap_or_else(|| before.policy.clone()),
    };
    // A user who may change settings and not read INFO is told less.
    let info = Info::ask(connection, &["memory"]).await.unwrap_or_default();
    Ok(LimitedNode {
        location: connection.location().to_owned(),
        before,
        after,
        used_memory: info.number("used_memory"),
        machine_memory: info.number("total_system_memory").filter(|bytes| *bytes > 0),
    })
}

async fn set(connection: &mut Connection, node: &LimitedNode) -> Result<()> {
    let LimitedNode { before, after, .. } = node;
    let memory = ("maxmemory", after.max_memory.to_string(), before.max_memory != after.max_memory);
    let policy = ("maxmemory-policy", after.policy.clone(), before.policy != after.policy);
    // The policy first: a lower limit under the former policy could evict what the new one protects.
    for (name, value, _) in [policy, memory].into_iter().filter(|(_, _, is_new)| *is_new) {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg(name).arg(value);
        connection.ask::<()>("set the limits", &command).await.map_err(not_permitted)?;
    }
    Ok(())
}

fn not_permitted(error: compartment_core::Error) -> AdminError {
    if !is_hidden(&error) && error.kind() != ErrorKind::Permission {
        return error.into();
    }
    let what = format!(
        "{}: the server does not let this user run CONFIG. Set maxmemory and maxmemory-policy in redis.conf, or in the \
         console of the provider",
        error.message()
    );
    compartment_core::Error::new(error.kind(), "set the limits", what).into()
}

fn judge(
    node: &LimitedNode,
    contracts: &[&Contract],
    options: &LimitOptions,
    refusals: &mut Vec<String>,
    notes: &mut Vec<String>,
) {
    let (policy, limit) = (node.after.policy.as_str(), node.after.max_memory);
    for kind in [DatabaseKind::Durable, DatabaseKind::Coordination] {
        let of_kind = contracts.iter().filter(|one| one.kind == kind && may_evict(policy, one));
        let names: Vec<&str> = of_kind.map(|one| one.name.as_str()).collect();
        if !names.is_empty() {
            let text = format!(
                "{policy} evicts keys of {} when the server is full, which a {kind} database does not allow; use \
                 noeviction and give each cache a memory_budget, or move the caches to an instance of their own",
                names.join(", ")
            );
            match options.accept_eviction {
                true => notes.push(text),
                false => refusals.push(text),
            }
        }
    }
    if let Some(used) = node.used_memory.filter(|used| limit > 0 && *used > limit) {
        let what = if policy == "noeviction" { "refuses writes" } else { "evicts keys" };
        let text = format!(
            "{} uses {}, so with a limit of {} it {what} at once",
            node.location,
            size(used),
            size(limit)
        );
        match options.below_usage {
            true => notes.push(text),
            false => refusals.push(format!("{text}; --below-usage allows it")),
        }
    }
    if let Some(machine) = node.machine_memory.filter(|machine| limit > *machine) {
        refusals.push(format!(
            "{} has {} of memory, less than the limit of {}: the system would end the server first",
            node.location,
            size(machine),
            size(limit)
        ));
    }
    if limit == 0 && policy != "noeviction" {
        notes.push(format!("without a limit of memory, {policy} has no effect"));
    }
    let unbounded = unbounded_caches(contracts);
    if policy == "noeviction" && limit > 0 && !unbounded.is_empty() {
        notes.push(format!(
            "with noeviction a full server refuses writes of every database; {} has no memory_budget that keeps it \
             below the limit",
            unbounded.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn node(policy: &str, max_memory: u64) -> LimitedNode {
        let before = MemorySettings { max_memory: 0, policy: "noeviction".to_owned() };
        LimitedNode {
            location: "server".to_owned(),
            before,
            after: MemorySettings { max_memory, policy: policy.to_owned() },
            used_memory: Some(100),
            machine_memory: Some(10_000),
        }
    }

    fn judged(node: &LimitedNode, contracts: &[&Contract]) -> (String, String) {
        let (mut refusals, mut notes) = (Vec::new(), Vec::new());
        judge(node, contracts, &LimitOptions::default(), &mut refusals, &mut notes);
        (refusals.join("\n"), notes.join("\n"))
    }

    #[test]
    fn a_policy_must_not_evict_from_databases_that_lose_no_key() {
        use DatabaseKind::{Cache, Coordination, Durable};
        let (cache, durable) = (Contract::new("cache", Cache), Contract::new("batch", Durable));
        let (locks, day) = (Contract::new("locks", Coordination), Duration::from_secs(86_400));
        let results = Contract::new("results", Durable).default_ttl(day);
        let refused =
            |policy: &str, contracts: &[&Contract]| judged(&node(policy, 500), contracts).0;
        assert_eq!(refused("allkeys-lru", &[&cache]), "");
        assert!(refused("allkeys-lru", &[&cache, &durable]).contains("keys of batch"));
        assert_eq!(refused("volatile-lru", &[&cache, &durable]), "");
        assert!(refused("volatile-lru", &[&cache, &locks]).contains("keys of locks"));
        assert!(refused("volatile-ttl", &[&results]).contains("keys of results"));
        assert_eq!(refused("noeviction", &[&cache, &durable, &locks, &results]), "");
    }

    #[test]
    fn a_limit_is_compared_with_the_memory_in_use_and_of_the_machine() {
        let cache = Contract::new("cache", DatabaseKind::Cache);
        assert!(judged(&node("allkeys-lru", 99), &[&cache]).0.contains("evicts keys at once"));
        assert!(judged(&node("noeviction", 99), &[]).0.contains("refuses writes at once"));
        assert!(judged(&node("noeviction", 10_001), &[]).0.contains("less than the limit"));
        assert!(judged(&node("allkeys-lru", 0), &[&cache]).1.contains("no effect"));
        assert!(judged(&node("noeviction", 200), &[&cache]).1.contains("no memory_budget"));
    }

    #[test]
    fn policies_are_known_by_name() {
        let with = |policy: &str| {
            check(&LimitOptions { policy: Some(policy.to_owned()), ..LimitOptions::default() })
        };
        assert!(with("volatile-lru").is_ok());
        assert!(with("lru").unwrap_err().to_string().contains("volatile-ttl"));
        assert!(check(&LimitOptions::default()).is_err());
    }
}

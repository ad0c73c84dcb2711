//! Eviction and memory: the policy and the limit of a server against the kinds of its databases.

use compartment_core::DatabaseKind;

use super::code::{Code, Severity};
use super::cure;
use super::facts::{ServerFacts, contents, counted, names, with_contents};
use super::finding::Finding;
use super::limit;
use super::node::Node;
use crate::bless::is_known;
use crate::policy::right_policy;
use crate::size;

/// A server that never evicts is nearly full above this share of its limit.
const NEARLY_FULL: f64 = 0.9;

pub(super) fn check(server: &ServerFacts<'_>) -> Vec<Finding> {
    let found = [
        durable_evictable(server),
        coordination_evictable(server),
        cache_unbounded(server),
        no_maxmemory(server),
        above_memory(server),
        nearly_full(server),
        budgets_above_limit(server),
        settings_differ(server),
    ];
    found.into_iter().flatten().collect()
}

fn durable_evictable(server: &ServerFacts<'_>) -> Option<Finding> {
    let mut durable = server.of_kind(DatabaseKind::Durable);
    durable.retain(|one| !one.is_protected);
    let takes_all = |node: &&Node| {
        node.condition.policy.as_deref().is_some_and(|policy| policy.starts_with("allkeys-"))
    };
    let node = server.nodes.iter().find(takes_all).filter(|_| !durable.is_empty())?;
    let policy = node.condition.policy.as_deref().unwrap_or_default();
    let (severity, when) = match node.condition.may_evict() {
        true => (Severity::Critical, "when its memory is full"),
        false => (Severity::Warning, "as soon as it has a maxmemory and reaches it"),
    };
    let evicted = server.nodes.iter().filter_map(|node| node.condition.evicted).sum::<u64>();
    let history = match evicted {
        0 => String::new(),
        keys => format!("; it has evicted {} since it started", counted(keys, "key")),
    };
    let bless = match server.nodes.iter().any(|node| is_known(&node.info)) {
        true => {
            "; or BLESS SET <KEY> NO-EVICT for each of these keys, which this server then keeps"
        }
        false => "",
    };
    let (keys, bytes) = contents(&durable);
    let what =
        format!("maxmemory-policy {policy} evicts keys of durable databases {when}{history}");
    Some(
        Finding::new(Code::DurableEvictable, severity, what)
            .databases(names(&durable))
            .key_count(keys)
            .bytes(bytes)
            .why(format!(
                "{}: nothing can make these keys again, and a flood of writes into any database of \
                 the server removes them",
                with_contents(&durable)
            ))
            .cure(format!("{}{bless}", cure::of_policy(server.name, &server.contracts()))),
    )
}

fn coordination_evictable(server: &ServerFacts<'_>) -> Option<Finding> {
    let databases = server.of_kind(DatabaseKind::Coordination);
    let policy = server.evicting_policy().filter(|_| !databases.is_empty())?;
    let severity =
        if policy.starts_with("allkeys-") { Severity::Critical } else { Severity::Warning };
    let (keys, bytes) = contents(&databases);
    let what = format!("maxmemory-policy {policy} evicts locks and limits when the server is full");
    Some(
        Finding::new(Code::CoordinationEvictable, severity, what)
            .databases(names(&databases))
            .key_count(keys)
            .bytes(bytes)
            .why(format!(
                "{}: a lock that is evicted is free while its holder works, and a limit starts anew; \
                 every key there has a TTL, so that volatile-* policies take them too",
                with_contents(&databases)
            ))
            .cure(cure::of_policy(server.name, &server.contracts())),
    )
}

fn cache_unbounded(server: &ServerFacts<'_>) -> Option<Finding> {
    let mut caches = server.of_kind(DatabaseKind::Cache);
    caches.retain(|one| one.contract.memory_budget.is_none());
    let never_evicts = |node: &Node| {
        node.condition.policy.as_deref() == Some("noeviction")
            && node.condition.max_memory.is_some_and(|limit| limit > 0)
    };
    if caches.is_empty() || !server.nodes.iter().any(never_evicts) {
        return None;
    }
    let cure = match right_policy(&server.contracts()) {
        "noeviction" => "set memory_budget for it in [databases]".to_owned(),
        _ => format!(
            "set memory_budget for it in [databases], or {}",
            cure::of_policy(server.name, &server.contracts())
        ),
    };
    let (keys, bytes) = contents(&caches);
    let what = "the server never evicts, and a cache on it has no memory_budget";
    Some(
        Finding::new(Code::CacheUnbounded, Severity::Warning, what)
            .databases(names(&caches))
            .key_count(keys)
            .bytes(bytes)
            .why(format!(
                "{}: once it has filled the server, writes into every database are refused",
                with_contents(&caches)
            ))
            .cure(cure),
    )
}

fn no_maxmemory(server: &ServerFacts<'_>) -> Option<Finding> {
    let without = |node: &&Node| node.condition.max_memory == Some(0);
    let node = server.nodes.iter().find(without)?;
    let machine = limit::machine(node);
    let has = machine.map_or_else(String::new, |bytes| format!(" of {}", size(bytes)));
    Some(
        Finding::new(Code::NoMaxmemory, Severity::Warning, "the server has no maxmemory")
            .databases(server.contracts().iter().map(|one| one.name.as_str()))
            .bytes(node.condition.used_memory)
            .why(format!(
                "it grows until the machine{has} has no memory left; the operating system then ends \
                 the server, and with it all its databases"
            ))
            .cure(limit::cure(server)),
    )
}

fn above_memory(server: &ServerFacts<'_>) -> Option<Finding> {
    server.nodes.iter().find_map(|node| {
        let machine = limit::machine(node)?;
        let limit = node.condition.max_memory.filter(|limit| *limit > machine)?;
        let what = format!(
            "maxmemory is {}, and the machine has {} ({})",
            size(limit),
            size(machine),
            node.location
        );
        Some(
            Finding::new(Code::MaxmemoryAboveMemory, Severity::Critical, what)
                .databases(server.contracts().iter().map(|one| one.name.as_str()))
                .bytes(Some(limit))
                .why(
                    "the limit is never reached: the operating system ends the server first, and with \
                     it all its databases",
                )
                .cure(limit::cure(server)),
        )
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn nearly_full(server: &ServerFacts<'_>) -> Option<Finding> {
    server.nodes.iter().find_map(|node| {
        let condition = &node.condition;
        let never_evicts = condition.policy.as_deref() == Some("noeviction");
        let limit = condition.max_memory.filter(|limit| *limit > 0 && never_evicts)?;
        let used = condition.used_memory?;
        let share = used as f64 / limit as f64;
        if share < NEARLY_FULL {
            return None;
        }
        let severity = if used >= limit { Severity::Critical } else { Severity::Warning };
        let what = format!(
            "the server uses {} of its {} ({:.0} %) and never evicts",
            size(used),
            size(limit),
            share * 100.0
        );
        Some(
            Finding::new(Code::MemoryNearlyFull, severity, what)
                .databases(server.contracts().iter().map(|one| one.name.as_str()))
                .bytes(Some(used))
                .why("at its limit the server refuses writes into every database")
                .cure(
                    "raise maxmemory, or free memory: `compartment analyze` shows the largest groups of \
                     keys",
                ),
        )
    })
}

fn budgets_above_limit(server: &ServerFacts<'_>) -> Option<Finding> {
    let limit = server.max_memory().filter(|limit| *limit > 0)?;
    let (budgets, others) = limit::demands(server);
    let needed = budgets.saturating_add(others);
    if budgets == 0 || needed <= limit {
        return None;
    }
    let besides = match others {
        0 => String::new(),
        others => format!(", the other databases hold about {}", size(others)),
    };
    let what = format!(
        "the budgets of the databases add up to {}{besides}, and maxmemory is {}",
        size(budgets),
        size(limit)
    );
    let bounded = server.databases.iter().filter(|one| one.contract.memory_budget.is_some());
    Some(
        Finding::new(Code::BudgetsAboveLimit, Severity::Warning, what)
            .databases(bounded.map(|one| one.contract.name.as_str()))
            .bytes(Some(needed))
            .why(
                "the server is full before a budget is: it evicts by its own policy or refuses writes, \
                 and no budget protects the other databases",
            )
            .cure(format!("raise maxmemory above {needed}, or lower memory_budget in [databases]")),
    )
}

fn settings_differ(server: &ServerFacts<'_>) -> Option<Finding> {
    let instance = server.instance;
    let mut differ = Vec::new();
    let mut flags = Vec::new();
    let policy = server.nodes.iter().find_map(|node| node.condition.policy.as_deref());
    if let (Some(expected), Some(found)) = (instance.expected_eviction_policy.as_deref(), policy)
        && expected != found
    {
        differ.push(format!("maxmemory-policy is {found}, and the map expects {expected}"));
        flags.push(format!(" --policy {expected}"));
    }
    let limit = server.nodes.iter().find_map(|node| node.condition.max_memory);
    if let (Some(expected), Some(found)) = (instance.expected_max_memory, limit)
        && expected != found
    {
        differ.push(format!("maxmemory is {found}, and the map expects {expected}"));
        flags.push(format!(" --max-memory {expected}"));
    }
    if differ.is_empty() {
        return None;
    }
    Some(
        Finding::new(Code::SettingsDiffer, Severity::Warning, differ.join("; "))
            .databases(server.contracts().iter().map(|one| one.name.as_str()))
            .why("the budgets and kinds of the map were chosen for the expected settings")
            .cure(format!(
                "`compartment limit --instance {}{} --apply`, then CONFIG REWRITE; or change [instances] if the \
                 server is right",
                server.name,
                flags.concat()
            )),
    )
}

//! The figures of a server against the thresholds: memory, connections, hit rate, evictions, saves, replication.

use compartment_core::{DatabaseKind, HealthSettings};

use super::{Check, HealthState};
use crate::DeployedServer;
use crate::stats::{InstanceStats, NodeStats};

/// The share of a server's connections from which on it is critical.
const NO_MORE_CONNECTIONS: f64 = 0.95;
/// Reads that a hit rate has to be of.
const READS: u64 = 1_000;

/// Checks each node of an instance.
pub(super) fn check(
    found: &InstanceStats,
    server: &DeployedServer,
    thresholds: &HealthSettings,
) -> Vec<Check> {
    let has = |is_such: fn(DatabaseKind) -> bool| {
        let databases = server.databases.iter().filter(|one| is_such(one.contract.kind));
        databases.map(|one| one.contract.name.clone()).collect::<Vec<_>>()
    };
    let kept = has(|kind| !kind.may_evict());
    let caches = has(DatabaseKind::may_evict);
    let mut checks = Vec::new();
    for node in &found.nodes {
        let subject = format!("{} {}", found.name, node.location);
        checks.push(memory(&subject, node, thresholds));
        checks.push(connections(&subject, node, thresholds));
        if !caches.is_empty() {
            checks.push(hit_rate(&subject, node, thresholds));
        }
        if !kept.is_empty() {
            checks.push(evictions(&subject, node, &kept));
        }
        checks.extend(saves(&subject, node));
        checks.extend(replication(&subject, node));
    }
    checks
}

fn unknown(name: &str, subject: &str, what: &str) -> Check {
    Check::new(name, subject, HealthState::Unknown, format!("the server does not tell {what}"))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn memory(subject: &str, node: &NodeStats, thresholds: &HealthSettings) -> Check {
    let Some(share) = node.memory.used_share() else {
        return unknown("memory", subject, "how much memory it uses");
    };
    let (warning, critical) = (thresholds.memory_warning, thresholds.memory_critical);
    let state = match share {
        share if share > critical => HealthState::Critical,
        share if share > warning => HealthState::Warning,
        _ => HealthState::Ok,
    };
    let of = match node.memory.limit {
        Some(0) => "of the machine's memory (maxmemory is not set)",
        _ => "of maxmemory",
    };
    let advice = match state {
        HealthState::Ok => "",
        _ => "; `compartment stats` shows which database it is",
    };
    let threshold = if state == HealthState::Critical { critical } else { warning };
    Check::new("memory", subject, state, format!("{} {of} in use{advice}", percent(share)))
        .figure(share, threshold)
}

fn connections(subject: &str, node: &NodeStats, thresholds: &HealthSettings) -> Check {
    let found = node.connections.connected.zip(node.connections.max.filter(|max| *max > 0));
    let Some((connected, max)) = found else {
        return unknown("connections", subject, "how many connections it takes");
    };
    let share = connected as f64 / max as f64;
    let state = match share {
        share if share > NO_MORE_CONNECTIONS.max(thresholds.connections) => HealthState::Critical,
        share if share > thresholds.connections => HealthState::Warning,
        _ => HealthState::Ok,
    };
    let advice = match state {
        HealthState::Ok => "",
        _ => "; raise maxclients, or lower max_connections of the programs",
    };
    let message = format!("{connected} of {max} connections in use{advice}");
    Check::new("connections", subject, state, message).figure(share, thresholds.connections)
}

fn hit_rate(subject: &str, node: &NodeStats, thresholds: &HealthSettings) -> Check {
    let Some((rate, reads)) = node.work.hit_rate.zip(node.work.reads) else {
        return unknown("hit_rate", subject, "how many reads find their key, or nothing was read");
    };
    let state = match rate < thresholds.hit_rate {
        true if reads >= READS => HealthState::Warning,
        _ => HealthState::Ok,
    };
    let advice = match state {
        HealthState::Ok => "",
        _ => ": review what is cached, and for how long",
    };
    let message = format!("{} of reads found their key{advice}", percent(rate));
    Check::new("hit_rate", subject, state, message).figure(rate, thresholds.hit_rate)
}

/// Evictions where databases must not lose keys. Under a `volatile-*` policy the keys of durable databases, which
/// have no TTL, are safe, and those of coordination databases are not.
fn evictions(subject: &str, node: &NodeStats, kept: &[String]) -> Check {
    let Some(evicted) = node.counters.evicted else {
        return unknown("evictions", subject, "how many keys it has evicted");
    };
    let names = kept.join(", ");
    let policy = node.memory.policy.as_deref().unwrap_or("an unknown policy");
    let rate = node.work.evicted_per_second;
    let (state, message) = match rate {
        Some(rate) if rate > 0.0 && !policy.starts_with("volatile-") => (
            HealthState::Critical,
            format!(
                "{rate:.1} keys a second are evicted under {policy}, and may be of {names}: use a \
                 volatile-* policy, or another instance"
            ),
        ),
        Some(rate) if rate > 0.0 => (
            HealthState::Warning,
            format!(
                "{rate:.1} keys a second are evicted under {policy}: keys with a TTL of {names} may be among \
                 them"
            ),
        ),
        None if evicted > 0 => (
            HealthState::Unknown,
            format!(
                "{evicted} keys were evicted since the server started; the next look tells whether it goes on"
            ),
        ),
        _ => (HealthState::Ok, format!("no key of {names} is evicted")),
    };
    Check::new("evictions", subject, state, message).figure(rate.unwrap_or(0.0), 0.0)
}

fn saves(subject: &str, node: &NodeStats) -> Option<Check> {
    if node.persistence.is_loading == Some(true) {
        let message = "the server loads its file, and answers when that is done";
        return Some(Check::new("saves", subject, HealthState::Critical, message));
    }
    let (state, message) = match node.persistence.has_failed? {
        true => (
            HealthState::Critical,
            "the last snapshot or append-only file could not be written: the server's log says why",
        ),
        false => (HealthState::Ok, "no save has failed"),
    };
    Some(Check::new("saves", subject, state, message))
}

fn replication(subject: &str, node: &NodeStats) -> Option<Check> {
    let (state, message) = match node.replication.is_link_up? {
        true => (HealthState::Ok, "the link to the master is up"),
        false => (
            HealthState::Critical,
            "the link to the master is down: what is read here is old, and writes are refused",
        ),
    };
    Some(Check::new("replication", subject, state, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeStats {
        let mut node = NodeStats::default();
        (node.memory.used, node.memory.limit) = (Some(85), Some(100));
        (node.connections.connected, node.connections.max) = (Some(10), Some(100));
        node
    }

    fn states(node: &NodeStats) -> Vec<HealthState> {
        let thresholds = HealthSettings::default();
        vec![
            memory("", node, &thresholds).state,
            connections("", node, &thresholds).state,
            hit_rate("", node, &thresholds).state,
            evictions("", node, &["broker".to_owned()]).state,
        ]
    }

    #[test]
    fn figures_are_held_against_their_thresholds() {
        use HealthState::{Critical, Ok, Unknown, Warning};
        let mut one = node();
        assert_eq!(states(&one), [Warning, Ok, Unknown, Unknown]);
        one.memory.used = Some(91);
        one.connections.connected = Some(96);
        one.work.reads = Some(READS);
        one.counters.evicted = Some(7);
        one.work.hit_rate = Some(0.1);
        one.memory.policy = Some("allkeys-lru".to_owned());
        assert_eq!(states(&one), [Critical, Critical, Warning, Unknown]);
        one.work.evicted_per_second = Some(2.0);
        one.work.reads = Some(READS - 1);
        one.connections.connected = Some(81);
        assert_eq!(states(&one), [Critical, Warning, Ok, Critical]);
        one.memory.policy = Some("volatile-lru".to_owned());
        assert_eq!(states(&one)[3], Warning);
        one.work.evicted_per_second = Some(0.0);
        assert_eq!(states(&one)[3], Ok);
    }

    #[test]
    fn a_server_without_a_limit_is_held_against_its_machine() {
        let mut one = node();
        (one.memory.limit, one.memory.system) = (Some(0), Some(1_000));
        assert_eq!(states(&one)[0], HealthState::Ok);
        assert_eq!(states(&NodeStats::default())[0], HealthState::Unknown);
        one.replication.is_link_up = Some(false);
        assert_eq!(replication("", &one).unwrap().state, HealthState::Critical);
        assert!(saves("", &one).is_none());
    }
}

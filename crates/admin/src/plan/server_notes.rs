//! Notes on the server's settings for the groups of a plan.

use super::Group;
use crate::{Analysis, Purpose};

/// Remarks on the server's settings for the groups.
pub(super) fn server_notes(analysis: &Analysis, groups: &[Group]) -> Vec<String> {
    let mut notes = Vec::new();
    let server = &analysis.server;
    let policy = server.eviction_policy.as_deref().unwrap_or_default();
    let has = |purpose: Purpose| groups.iter().any(|group| group.purpose == purpose.to_string());
    let limited = server.max_memory.is_some_and(|bytes| bytes > 0);
    if policy.starts_with("allkeys-") {
        let queues =
            if has(Purpose::Broker) { "including queues" } else { "whatever their purpose" };
        notes.push(format!(
            "maxmemory-policy {policy} evicts keys of every database, {queues}: set volatile-lru \
             (caches have a TTL, other keys have none) or give the cache its own server"
        ));
    } else if policy.starts_with("volatile-") {
        let expiring = [Purpose::RateLimit, Purpose::Locks, Purpose::Sessions, Purpose::Results];
        let found: Vec<String> =
            expiring.into_iter().filter(|one| has(*one)).map(|one| one.to_string()).collect();
        if !found.is_empty() {
            notes.push(format!(
                "maxmemory-policy {policy} evicts keys with a TTL in every database when memory is \
                 short, including: {}. They are safe on a server that never evicts",
                found.join(", ")
            ));
        }
    }
    if policy == "noeviction" && has(Purpose::Cache) && limited {
        notes.push(
            "maxmemory-policy noeviction refuses all writes when the cache has filled the server: \
             volatile-lru evicts only cached keys"
                .to_owned(),
        );
    }
    let without: u64 = analysis
        .groups
        .iter()
        .filter(|group| group.purpose == Purpose::Cache)
        .map(|group| group.ttl.without)
        .sum();
    if without > 0 {
        notes.push(format!("{without} cached keys have no TTL: only a flush removes them"));
    }
    if server.replica {
        notes.push("planned on a replica: migrate works on the master".to_owned());
    }
    notes
}

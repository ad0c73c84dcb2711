//! Which eviction policy suits the databases of one server.

use compartment_core::{Contract, DatabaseKind};

/// The policy under which every contract of the server can be kept.
pub(crate) fn right_policy(contracts: &[&Contract]) -> &'static str {
    let has = |kind: DatabaseKind| contracts.iter().any(|one| one.kind == kind);
    if !has(DatabaseKind::Cache) {
        return "noeviction";
    }
    if !has(DatabaseKind::Durable) && !has(DatabaseKind::Coordination) {
        return "allkeys-lru";
    }
    // Under volatile-* every key with a TTL is evicted, whatever its database.
    let mut others = contracts.iter().filter(|one| one.kind != DatabaseKind::Cache);
    let others_expire = others.any(|one| may_evict("volatile-lru", one));
    let are_bounded = unbounded_caches(contracts).is_empty();
    if others_expire || are_bounded { "noeviction" } else { "volatile-lru" }
}

/// Whether a full server with this policy may evict keys of the database.
pub(crate) fn may_evict(policy: &str, contract: &Contract) -> bool {
    let expire = contract.kind.requires_ttl() || contract.default_ttl.is_some();
    policy.starts_with("allkeys-") || policy.starts_with("volatile-") && expire
}

/// The names of the caches without a budget.
pub(crate) fn unbounded_caches<'a>(contracts: &[&'a Contract]) -> Vec<&'a str> {
    let caches = contracts.iter().filter(|one| one.kind == DatabaseKind::Cache);
    caches.filter(|one| one.memory_budget.is_none()).map(|one| one.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_policy_follows_from_the_kinds() {
        use DatabaseKind::{Cache, Coordination, Durable};
        let bounded = Contract::new("a", Cache).memory_budget(1);
        let (cache, durable) = (Contract::new("b", Cache), Contract::new("c", Durable));
        let expiring = durable.clone().default_ttl(Duration::from_secs(1));
        let locks = Contract::new("d", Coordination);
        assert_eq!(right_policy(&[]), "noeviction");
        assert_eq!(right_policy(&[&durable]), "noeviction");
        assert_eq!(right_policy(&[&cache]), "allkeys-lru");
        assert_eq!(right_policy(&[&cache, &durable]), "volatile-lru");
        assert_eq!(right_policy(&[&bounded, &durable]), "noeviction");
        assert_eq!(right_policy(&[&cache, &expiring]), "noeviction");
        assert_eq!(right_policy(&[&cache, &locks]), "noeviction");
    }
}

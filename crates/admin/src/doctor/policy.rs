//! Which eviction policy suits the databases of one server.

use compartment_core::{Contract, DatabaseKind};

/// The policy under which every contract of the server can be kept.
pub(super) fn right_policy(contracts: &[&Contract]) -> &'static str {
    let has = |kind: DatabaseKind| contracts.iter().any(|one| one.kind == kind);
    let caches = || contracts.iter().filter(|one| one.kind == DatabaseKind::Cache);
    let others_expire = contracts.iter().any(|one| {
        one.kind == DatabaseKind::Coordination
            || (one.kind == DatabaseKind::Durable && one.default_ttl.is_some())
    });
    if caches().next().is_none() {
        return "noeviction";
    }
    if !has(DatabaseKind::Durable) && !has(DatabaseKind::Coordination) {
        return "allkeys-lru";
    }
    // Under volatile-* every key with a TTL is evicted, whatever its database.
    let are_bounded = caches().all(|one| one.memory_budget.is_some());
    if others_expire || are_bounded { "noeviction" } else { "volatile-lru" }
}

/// The command that sets the policy of an instance, and the budgets that it needs.
pub(super) fn cure(instance: &str, contracts: &[&Contract]) -> String {
    let policy = right_policy(contracts);
    let unbounded: Vec<&str> = contracts
        .iter()
        .filter(|one| one.kind == DatabaseKind::Cache && one.memory_budget.is_none())
        .map(|one| one.name.as_str())
        .collect();
    let set = format!(
        "`compartment limit --instance {instance} --policy {policy} --apply`, then CONFIG REWRITE"
    );
    match unbounded.is_empty() || policy != "noeviction" {
        true => set,
        false => format!(
            "{set}; give {} a memory_budget, or an instance of its own",
            super::facts::listed(unbounded)
        ),
    }
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
        assert!(cure("primary", &[&cache, &locks]).contains("give b a memory_budget"));
        assert!(!cure("primary", &[&bounded, &locks]).contains("memory_budget"));
    }
}

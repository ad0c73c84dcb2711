//! The cure of an eviction policy that does not suit the databases of a server.

use compartment_core::Contract;

use super::facts::listed;
use crate::policy::{right_policy, unbounded_caches};

/// The command that sets the policy of an instance, and the budgets that it needs.
pub(super) fn of_policy(instance: &str, contracts: &[&Contract]) -> String {
    let policy = right_policy(contracts);
    let unbounded = unbounded_caches(contracts);
    let set = format!(
        "`compartment limit --instance {instance} --policy {policy} --apply`, then CONFIG REWRITE"
    );
    match unbounded.is_empty() || policy != "noeviction" {
        true => set,
        false => {
            format!("{set}; give {} a memory_budget, or an instance of its own", listed(unbounded))
        }
    }
}

#[cfg(test)]
mod tests {
    use compartment_core::DatabaseKind::{Cache, Coordination};

    use super::*;

    #[test]
    fn caches_without_a_budget_are_named() {
        let bounded = Contract::new("a", Cache).memory_budget(1);
        let (cache, locks) = (Contract::new("b", Cache), Contract::new("d", Coordination));
        assert!(of_policy("primary", &[&cache, &locks]).contains("give b a memory_budget"));
        assert!(!of_policy("primary", &[&bounded, &locks]).contains("memory_budget"));
    }
}

//! A memory limit that suits a server: within its machine, above its contents and budgets.

use super::facts::ServerFacts;
use super::node::Node;

/// A limit where neither the map, nor the server, nor its machine says one.
const SMALLEST: u64 = 1 << 30;

/// The memory of the node's machine, where it tells.
pub(super) fn machine(node: &Node) -> Option<u64> {
    node.info.number("total_system_memory").filter(|bytes| *bytes > 0)
}

/// The bytes that each node needs: budgets, beside them the keys of databases without one, and a quarter
/// more. At least as much as it uses now, so that no limit evicts or refuses at once.
fn needed(server: &ServerFacts<'_>) -> u64 {
    let nodes = server.nodes.len().max(1) as u64;
    let (budgets, others) = demands(server);
    let share = budgets.saturating_add(others) / nodes;
    let used = server.nodes.iter().filter_map(|node| node.condition.used_memory).max();
    let least = share.max(used.unwrap_or(0));
    least.saturating_add(least / 4)
}

/// The sum of the budgets on a server, and about how many bytes its other databases hold.
pub(super) fn demands(server: &ServerFacts<'_>) -> (u64, u64) {
    let budgets = server.databases.iter().filter_map(|one| one.contract.memory_budget);
    let others = server.databases.iter().filter(|one| one.contract.memory_budget.is_none());
    (budgets.sum(), others.filter_map(|one| one.sample.bytes()).sum())
}

/// Half of the machine's memory, more where more is needed; `None` where the machine has too little.
pub(super) fn suggested(server: &ServerFacts<'_>) -> Option<u64> {
    let machine = server.nodes.iter().filter_map(machine).min()?;
    let limit = needed(server).max(machine / 2);
    // The operating system and forks need some too.
    (limit <= machine / 10 * 9).then_some(limit)
}

/// The limit for `--emit-config`: as the map expects it; else as it is, where that suits; else a suggestion.
pub(super) fn chosen(server: &ServerFacts<'_>) -> u64 {
    let needed = needed(server);
    let machine = server.nodes.iter().filter_map(machine).min();
    let suits = |limit: &u64| *limit >= needed && machine.is_none_or(|machine| *limit <= machine);
    let now = server.nodes.iter().find_map(|node| node.condition.max_memory);
    let expected = server.instance.expected_max_memory;
    let chosen = expected.or(now.filter(|limit| *limit > 0).filter(suits)).or(suggested(server));
    chosen.unwrap_or(SMALLEST.max(needed))
}

/// The command that sets a limit.
pub(super) fn cure(server: &ServerFacts<'_>) -> String {
    let set = |limit: u64| {
        format!(
            "`compartment limit --instance {} --max-memory {limit} --apply`, then CONFIG REWRITE",
            server.name
        )
    };
    match suggested(server) {
        Some(limit) => set(limit),
        None => format!("{}; on a machine that has more memory", set(needed(server))),
    }
}

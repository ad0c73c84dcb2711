//! Connections and limits: headroom, time-outs, output buffers.

use std::time::Duration;

use super::code::{Code, Severity};
use super::facts::ServerFacts;
use super::finding::Finding;
use super::node::Node;

/// Connections are nearly used up above this share of `maxclients`.
const NEARLY_USED: f64 = 0.8;
/// File descriptors that a server keeps for itself.
const RESERVED: u64 = 32;
/// Connections that are idle for less are a pool's usual ones.
const USUAL_IDLE_SECONDS: u64 = 300;
/// One slow command, or one pause of a busy client, takes this long without any fault.
const SHORT_RESPONSE: Duration = Duration::from_millis(500);

pub(super) fn check(server: &ServerFacts<'_>) -> Vec<Finding> {
    let found = [
        nearly_used(server),
        pool_above_maxclients(server),
        idle_closed(server),
        dead_kept(server),
        response_timeout_short(server),
        pubsub_unlimited(server),
    ];
    let all = || server.contracts().into_iter().map(|one| one.name.as_str());
    found.into_iter().flatten().map(|one| one.databases(all())).collect()
}

fn maxclients(node: &Node) -> Option<u64> {
    node.info.number("maxclients").or_else(|| node.number("maxclients"))
}

#[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
fn nearly_used(server: &ServerFacts<'_>) -> Option<Finding> {
    server.nodes.iter().find_map(|node| {
        let most = maxclients(node).filter(|most| *most > 0)?;
        let used: u64 = node.info.number("connected_clients")?;
        if (used as f64) < most as f64 * NEARLY_USED {
            return None;
        }
        let what = format!("{used} of {most} connections are in use ({})", node.location);
        Some(
            Finding::new(Code::ConnectionsNearlyUsed, Severity::Warning, what)
                .why("further processes, and every reconnection after a failure, are refused")
                .cure(format!(
                    "`compartment analyze` shows whose connections they are; CONFIG SET maxclients {} \
                     if the machine allows so many open files",
                    most.saturating_mul(2)
                )),
        )
    })
}

fn pool_above_maxclients(server: &ServerFacts<'_>) -> Option<Finding> {
    let most = server.nodes.iter().find_map(maxclients)?;
    let pool = u64::from(server.instance.max_connections);
    if pool < most {
        return None;
    }
    let what = format!("one process may open {pool} connections, and the server takes {most}");
    Some(
        Finding::new(Code::PoolAboveMaxclients, Severity::Warning, what)
            .why("one process can shut out all others, replicas and administrators included")
            .cure(format!(
                "lower max_connections in [instances.{}], or CONFIG SET maxclients {}",
                server.name,
                (pool + RESERVED).saturating_mul(4)
            )),
    )
}

fn idle_closed(server: &ServerFacts<'_>) -> Option<Finding> {
    let seconds = server.nodes.iter().find_map(|node| node.number::<u64>("timeout"))?;
    if seconds == 0 || seconds >= USUAL_IDLE_SECONDS {
        return None;
    }
    let what = format!("the server closes connections that are idle for {seconds} s (timeout)");
    Some(
        Finding::new(Code::IdleConnectionsClosed, Severity::Notice, what)
            .why(
                "the first request of a client after a pause fails or waits for a new connection; many \
                 clients do not repeat it",
            )
            .cure("CONFIG SET timeout 0 and tcp-keepalive 300, then CONFIG REWRITE"),
    )
}

fn dead_kept(server: &ServerFacts<'_>) -> Option<Finding> {
    let has = |node: &&Node, name: &str| node.number::<u64>(name) == Some(0);
    let keeps = |node: &&Node| has(node, "tcp-keepalive") && has(node, "timeout");
    server.nodes.iter().find(keeps)?;
    let what = "tcp-keepalive and timeout are 0: the server never notices clients that are gone";
    Some(
        Finding::new(Code::DeadClientsKept, Severity::Notice, what)
            .why(
                "connections of machines that failed stay until maxclients is reached, and blocked ones \
                 take an element that nobody receives",
            )
            .cure("CONFIG SET tcp-keepalive 300, then CONFIG REWRITE"),
    )
}

fn response_timeout_short(server: &ServerFacts<'_>) -> Option<Finding> {
    let timeout = server.instance.response_timeout;
    if timeout > SHORT_RESPONSE {
        return None;
    }
    let what = format!("response_timeout of {} is {timeout:?}", server.name);
    Some(
        Finding::new(Code::ResponseTimeoutShort, Severity::Notice, what)
            .why(
                "it also expires when this process is short of CPU, or the server is busy with one large \
                 key: requests fail though the server is well",
            )
            .cure(format!("response_timeout = \"5s\" in [instances.{}]", server.name)),
    )
}

fn pubsub_unlimited(server: &ServerFacts<'_>) -> Option<Finding> {
    // Each class has three figures: a hard limit, a soft one, and for how many seconds.
    let limits = server.nodes.iter().find_map(|node| node.setting("client-output-buffer-limit"))?;
    let words: Vec<&str> = limits.split_whitespace().collect();
    let pubsub = words.chunks(4).find(|class| class.first() == Some(&"pubsub"))?;
    let is_unlimited = pubsub.get(1) == Some(&"0") && pubsub.get(2) == Some(&"0");
    if !is_unlimited {
        return None;
    }
    let what = "client-output-buffer-limit sets no limit for subscribers";
    Some(
        Finding::new(Code::PubsubBufferUnlimited, Severity::Warning, what)
            .why(
                "one subscriber that does not read fills the server's memory with messages, and keys are evicted \
                 or writes refused for it",
            )
            .cure(
                "CONFIG SET client-output-buffer-limit \"pubsub 32mb 8mb 60\", then CONFIG REWRITE",
            ),
    )
}

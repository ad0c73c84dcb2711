//! Persistence against durable databases: whether their keys outlive a restart.

use compartment_core::DatabaseKind;

use super::code::{Code, Severity};
use super::facts::{DatabaseFacts, ServerFacts, contents, names, with_contents};
use super::finding::Finding;
use super::node::Node;

pub(super) fn check(server: &ServerFacts<'_>) -> Vec<Finding> {
    let durable = server.of_kind(DatabaseKind::Durable);
    let mut findings: Vec<Finding> = save_fails(server).into_iter().collect();
    if durable.is_empty() {
        return findings;
    }
    let persists = |found: Option<bool>| {
        server.nodes.iter().find(move |node| node.condition.persists == found)
    };
    if let Some(node) = persists(Some(false)) {
        findings.push(not_persisted(node, &durable));
    } else if let Some(node) =
        server.nodes.iter().find(|node| node.info.get("aof_enabled") == Some("0"))
        && node.condition.persists == Some(true)
    {
        findings.push(snapshots_only(node, &durable));
    }
    let appends_seldom = |node: &Node| {
        node.info.get("aof_enabled") == Some("1") && node.setting("appendfsync") == Some("no")
    };
    if server.nodes.iter().any(appends_seldom) {
        findings.push(fsync_left_to_system(&durable));
    }
    findings
}

fn about(code: Code, severity: Severity, what: String, durable: &[&DatabaseFacts<'_>]) -> Finding {
    let (keys, bytes) = contents(durable);
    Finding::new(code, severity, what).databases(names(durable)).key_count(keys).bytes(bytes)
}

/// The file has to be there before the server is restarted, or it starts empty.
const APPEND: &str = "CONFIG SET appendonly yes and CONFIG SET appendfsync everysec while the server runs; once \
                      INFO says aof_rewrite_in_progress:0, CONFIG REWRITE";

fn not_persisted(node: &Node, durable: &[&DatabaseFacts<'_>]) -> Finding {
    let what = format!("{} writes no append-only file and no snapshots", node.location);
    about(Code::DurableNotPersisted, Severity::Critical, what, durable)
        .why(format!("a restart loses {}", with_contents(durable)))
        .cure(APPEND)
}

fn snapshots_only(node: &Node, durable: &[&DatabaseFacts<'_>]) -> Finding {
    let unsaved = match node.info.number::<u64>("rdb_changes_since_last_save") {
        Some(changes) if changes > 0 => format!(", now {changes} changes"),
        _ => String::new(),
    };
    let what = format!("{} writes snapshots and no append-only file", node.location);
    about(Code::SnapshotsOnly, Severity::Notice, what, durable)
        .why(format!(
            "a crash loses the writes since the last snapshot{unsaved}: {}",
            with_contents(durable)
        ))
        .cure(APPEND)
}

fn fsync_left_to_system(durable: &[&DatabaseFacts<'_>]) -> Finding {
    let what = "appendfsync is no".to_owned();
    about(Code::FsyncLeftToSystem, Severity::Warning, what, durable)
        .why(format!(
            "a crash of the machine loses the writes that the operating system still holds, usually half \
             a minute: {}",
            with_contents(durable)
        ))
        .cure("CONFIG SET appendfsync everysec, then CONFIG REWRITE")
}

/// Fields of `INFO persistence` that say how the last write of a file went.
const OUTCOMES: [(&str, &str); 3] = [
    ("rdb_last_bgsave_status", "the last snapshot"),
    ("aof_last_write_status", "the last write to the append-only file"),
    ("aof_last_bgrewrite_status", "the last rewrite of the append-only file"),
];

fn save_fails(server: &ServerFacts<'_>) -> Option<Finding> {
    server.nodes.iter().find_map(|node| {
        let failed = |field: &str| node.info.get(field).is_some_and(|status| status != "ok");
        let found: Vec<&str> =
            OUTCOMES.iter().filter(|(field, _)| failed(field)).map(|(_, what)| *what).collect();
        if found.is_empty() {
            return None;
        }
        let what = format!("{} failed ({})", super::facts::listed(found), node.location);
        Some(
            Finding::new(Code::SaveFails, Severity::Critical, what)
                .databases(server.contracts().iter().map(|one| one.name.as_str()))
                .why(
                    "a restart loses the writes since then, and by stop-writes-on-bgsave-error the \
                     server refuses writes until a snapshot succeeds",
                )
                .cure(
                    "the server's log has the cause: a full disk, a folder without rights, or too little \
                     memory to fork (vm.overcommit_memory = 1); then BGSAVE",
                ),
        )
    })
}

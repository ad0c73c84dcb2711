//! Checks that a move by names neither splits a queue nor moves one in use. Plans have the same check.

use std::collections::BTreeMap;

use compartment_core::{ErrorKind, KeyRule};

use super::Migration;
use crate::analyze::KeyGroupReport;
use crate::client_list::client_list;
use crate::patterns::{Selection, Selector};
use crate::plan::at_work;
use crate::{
    AdminError, AnalyzeOptions, Place, Progress, Purpose, Result, Verdict, Walk, analyze, escape,
};

/// Keys of one group, by whether they move.
#[derive(Clone, Debug, Default)]
struct Split {
    moving: u64,
    staying: u64,
    /// One of the keys that stay.
    example: String,
}

/// Refuses to move queues that are in use, or only a part of a queue's keys. `rules` are the templates of
/// the database map. With `anyway` the problems are only reported.
///
/// # Errors
/// [`AdminError::Unsafe`] with all problems; the server's.
pub async fn check_queues(
    migration: &Migration,
    rules: &BTreeMap<String, KeyRule>,
    anyway: bool,
    progress: &dyn Progress,
) -> Result<()> {
    let source = &migration.source;
    let is_whole = migration.routes.takes_all();
    // When a whole database moves, nothing stays behind; only clients that use it matter.
    if is_whole && !is_in_use(source).await {
        return Ok(());
    }
    let mut options = AnalyzeOptions::default();
    options.limits = migration.options.limits;
    options.rules = rules.clone();
    let mut groups = match analyze(source, &options, progress).await {
        Ok(analysis) => analysis.groups,
        // Without rights to read keys, names and clients are still visible.
        Err(AdminError::Server(error)) if error.kind() == ErrorKind::Permission => {
            let problems = by_names(migration, progress).await?;
            return decide(&problems, anyway, progress);
        }
        Err(error) => return Err(error),
    };
    groups.sort_by_key(|group| group.order);
    if !groups.iter().any(is_queue) {
        return Ok(());
    }
    let splits = split(migration, &groups, progress).await?;
    let mut problems = Vec::new();
    // Without `CLIENT LIST`, the clients are unknown and none is reported.
    let clients = client_list(source).await.unwrap_or_default();
    for (group, own) in groups.iter().zip(&splits) {
        if !is_queue(group) || own.moving == 0 {
            continue;
        }
        for (other, split) in groups.iter().zip(&splits) {
            if split.staying > 0 && belong_together(group, other) {
                problems.push(format!(
                    "{} of the keys of {} would stay behind, such as {}, and belong to {} that move: \
                     take them with --pattern too",
                    split.staying, other.name, split.example, own.moving
                ));
            }
        }
        for found in at_work(&group.producer, source, &clients) {
            problems.push(format!("{found}: stop the workers and senders of {}", group.name));
        }
    }
    decide(&problems, anyway, progress)
}

/// Recognises queues by names and clients only: binding tables that stay while their list moves, and
/// blocked clients.
async fn by_names(migration: &Migration, progress: &dyn Progress) -> Result<Vec<String>> {
    const BINDINGS: &[u8] = b"_kombu.binding.";
    let source = &migration.source;
    let mut problems = Vec::new();
    progress.begin("look for queues", migration.source.known_keys().await);
    let mut walk = Walk::start(source, Some(b"_kombu.binding.*")).await?;
    while let Some(names) = walk.next_page().await? {
        for name in &names {
            let Some(queue) = name.strip_prefix(BINDINGS) else { continue };
            let (moves, stays) = (migration.routes.rule_of(queue), migration.routes.rule_of(name));
            if moves.is_some() && stays.is_none() {
                problems.push(format!(
                    "{} would stay behind, which routes tasks to {}: take it with --pattern too",
                    escape(name),
                    escape(queue)
                ));
            }
        }
        progress.advance(names.len() as u64);
    }
    for client in client_list(source).await.unwrap_or_default() {
        if client.blocked && client.index == source.index() {
            problems.push(format!(
                "a connection of user {:?} waits for elements in index {} ({}): stop the workers first, if \
                 they wait for keys that move",
                client.user, client.index, client.command
            ));
        }
    }
    Ok(problems)
}

/// Refuses the move if there are problems, or only reports them with `anyway`.
fn decide(problems: &[String], anyway: bool, progress: &dyn Progress) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    if anyway {
        for problem in problems {
            progress.note(&format!("note: the keys move, as --drained-anyway says; {problem}"));
        }
        return Ok(());
    }
    let list = problems.iter().map(|problem| format!("\n  - {problem}")).collect::<String>();
    Err(AdminError::Unsafe(format!(
        "keys of a queue would be lost to its program:{list}\nfix that, or use --drained-anyway if this \
         is intended"
    )))
}

/// Whether any other client has selected the place's index.
async fn is_in_use(place: &Place) -> bool {
    let clients = client_list(place).await.unwrap_or_default();
    clients.iter().any(|client| client.index == place.index())
}

fn is_queue(group: &KeyGroupReport) -> bool {
    group.verdict == Verdict::Drain && group.purpose == Purpose::Broker
}

fn belong_together(one: &KeyGroupReport, other: &KeyGroupReport) -> bool {
    let set = !one.together.is_empty() && one.together == other.together;
    one.name == other.name || set && other.verdict != Verdict::Stay
}

/// Counts the moving and staying keys of each group.
async fn split(
    migration: &Migration,
    groups: &[KeyGroupReport],
    progress: &dyn Progress,
) -> Result<Vec<Split>> {
    let globs = |group: &KeyGroupReport| Selection {
        globs: group.globs.iter().map(|text| crate::read_glob(text)).collect(),
        except: Vec::new(),
    };
    let selector = Selector::new(&groups.iter().map(globs).collect::<Vec<_>>());
    let mut splits = vec![Split::default(); groups.len()];
    progress.begin("look for queues", migration.source.known_keys().await);
    let mut walk = Walk::start(&migration.source, None).await?;
    while let Some(names) = walk.next_page().await? {
        for name in &names {
            let Some(split) = selector.first_match(name).and_then(|at| splits.get_mut(at)) else {
                continue;
            };
            if migration.routes.rule_of(name).is_some() {
                split.moving += 1;
                continue;
            }
            split.staying += 1;
            if split.example.is_empty() {
                split.example = escape(name);
            }
        }
        progress.advance(names.len() as u64);
    }
    Ok(splits)
}

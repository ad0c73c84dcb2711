//! Checks before execution whether a plan still fits the servers.

use std::collections::BTreeMap;

use super::collisions::collisions;
use super::indexes::indexes;
use super::{Group, Plan, PlanTarget, Verdict};
use crate::client_list::{Client, client_list, who};
use crate::frameworks::may_be_of;
use crate::{AdminError, Limits, Pace, Place, Progress, Purpose, Result, Walk, escape};

/// Options for checking a plan.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CheckOptions {
    /// Groups whose producers and consumers have been stopped, according to the operator.
    pub drained: Vec<String>,
    /// Whether these groups move even if connections look like their clients.
    pub drained_anyway: bool,
    /// Whether a run resumes: its names were checked before, and its copies do not count as
    /// collisions.
    pub goes_on: bool,
    /// Limits of the load on the servers.
    pub limits: Limits,
}

/// A client whose last command is at most this old is at work.
const AT_WORK_SECONDS: u64 = 10;
/// Keys in no group require a new plan if there are more than this, and more than a hundredth of
/// all.
const MANY_NEW: u64 = 100;

/// Purposes without queues: clients that are blocked wait for keys of another group.
const NEVER_QUEUES: &[Purpose] =
    &[Purpose::Sessions, Purpose::Cache, Purpose::RateLimit, Purpose::Locks, Purpose::Metrics];

/// Compares `plan` with the current state of its places: `source`, and its targets by name, as the
/// map has them now.
///
/// # Errors
/// [`AdminError::Unsafe`], which lists everything that no longer fits; the server's.
pub async fn check(
    plan: &Plan,
    source: &Place,
    targets: &BTreeMap<String, Place>,
    options: &CheckOptions,
    progress: &dyn Progress,
) -> Result<()> {
    let mut problems = Vec::new();
    places_fit(plan, source, targets, &mut problems);
    if problems.is_empty() {
        is_drained(plan, source, options, progress, &mut problems).await;
    }
    if problems.is_empty() && !options.goes_on {
        indexes_fit(plan, source, &mut problems).await?;
        names_fit(plan, source, options, progress, &mut problems).await?;
        no_new_collisions(plan, source, targets, options, progress, &mut problems).await?;
    }
    if problems.is_empty() {
        return Ok(());
    }
    let list = problems.iter().map(|problem| format!("\n  - {problem}")).collect::<String>();
    Err(AdminError::Unsafe(format!(
        "the plan of {} does not fit what is there now:{list}\nfix that, or write the plan \
         again with `compartment plan`",
        plan.source.made
    )))
}

fn places_fit(
    plan: &Plan,
    source: &Place,
    targets: &BTreeMap<String, Place>,
    problems: &mut Vec<String>,
) {
    let server = source.server().url().to_string();
    let made_for = &plan.source;
    if server != made_for.server || source.index() != made_for.index {
        problems.push(format!(
            "it is for {} index {}, and this is {server} index {}",
            made_for.server,
            made_for.index,
            source.index()
        ));
    }
    if escape(source.prefix()) != made_for.prefix {
        problems.push(format!(
            "it is for the prefix {:?}, and this is {:?}",
            made_for.prefix,
            escape(source.prefix())
        ));
    }
    let goes = |target: &&PlanTarget| {
        let to = |group: &Group| group.database == target.database;
        plan.groups.iter().any(|group| group.verdict != Verdict::Stay && to(group))
    };
    for target in plan.targets.iter().filter(goes) {
        match targets.get(&target.database) {
            None => problems
                .push(format!("the configuration has no database {:?} any more", target.database)),
            Some(place) if !is_at(target, place) => problems.push(format!(
                "{} was at {} index {}, and is {place} now",
                target.database, target.server, target.index
            )),
            Some(_) => {}
        }
    }
}

fn is_at(target: &PlanTarget, place: &Place) -> bool {
    place.server().url().to_string() == target.server
        && place.index() == target.index
        && escape(place.prefix()) == target.prefix
}

async fn indexes_fit(plan: &Plan, source: &Place, problems: &mut Vec<String>) -> Result<()> {
    if source.index() != 0 {
        return Ok(());
    }
    let found = indexes(&mut source.open("check").await?).await;
    for group in plan.groups.iter().filter(|group| group.verdict != Verdict::Stay) {
        for pattern in &group.patterns {
            let glob = crate::read_glob(pattern);
            let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
            let head = glob.split(is_special).next().unwrap_or_default();
            if let Some(index) = found.covering(head, &[]) {
                problems.push(format!(
                    "the search index {index:?} covers {pattern} of {}, and sees index 0 only",
                    group.name
                ));
            }
        }
    }
    Ok(())
}

/// Checks that no client waits for or uses groups that have to be drained.
async fn is_drained(
    plan: &Plan,
    source: &Place,
    options: &CheckOptions,
    progress: &dyn Progress,
    problems: &mut Vec<String>,
) {
    let drains: Vec<&Group> = plan
        .groups
        .iter()
        .filter(|group| group.verdict == Verdict::Drain && options.drained.contains(&group.name))
        .filter(|group| !NEVER_QUEUES.iter().any(|purpose| purpose.to_string() == group.purpose))
        .collect();
    if drains.is_empty() {
        return;
    }
    // Without `CLIENT LIST`, the operator's statement has to suffice.
    let Ok(clients) = client_list(source).await else { return };
    for group in drains {
        for found in at_work(&group.producer, source, &clients) {
            if options.drained_anyway {
                progress.note(&format!(
                    "{} moves anyway because of --drained-anyway: {found}; tasks that they still \
                     send or take in the source are lost to the queue in the target",
                    group.name
                ));
            } else {
                problems.push(format!(
                    "{found}: stop the workers and senders of {}, or use --drained-anyway if these \
                     connections belong to other programs",
                    group.name
                ));
            }
        }
    }
}

/// Describes active clients of the place's index that may be workers or senders of `producer`.
pub(crate) fn at_work(producer: &str, source: &Place, clients: &[Client]) -> Vec<String> {
    let mut found: BTreeMap<(String, &str, bool), u64> = BTreeMap::new();
    for client in clients.iter().filter(|client| client.index == source.index()) {
        let is_recent = client.blocked || client.idle_seconds <= AT_WORK_SECONDS;
        if is_recent && may_be_of(producer, client) {
            let key = (
                who(&client.name, &client.library, &client.user),
                client.command.as_str(),
                client.blocked,
            );
            *found.entry(key).or_default() += 1;
        }
    }
    let say = |((who, command, blocked), count): ((String, &str, bool), u64)| {
        let connections = if count == 1 { "connection" } else { "connections" };
        let does = match blocked {
            true => "blocked on keys",
            false => "running a command",
        };
        format!("{count} {connections} of {who} {does} in index {} ({command})", source.index())
    };
    found.into_iter().map(say).collect()
}

/// Checks that there are few keys that the plan does not cover.
async fn names_fit(
    plan: &Plan,
    source: &Place,
    options: &CheckOptions,
    progress: &dyn Progress,
    problems: &mut Vec<String>,
) -> Result<()> {
    let selector = plan.selector();
    // The last group of a generated plan takes all other keys.
    let rest = plan.groups.iter().position(|group| group.patterns == ["*"]);
    let expected = rest.map_or(0, |at| plan.groups[at].keys);
    let (mut keys, mut unknown) = (0_u64, 0_u64);
    let mut example = None;
    progress.begin("hold the names against the plan", Some(plan.source.keys));
    let mut pace = Pace::new(options.limits, source).await?;
    let mut walk = Walk::start(source, None).await?;
    while let Some(page) = walk.next_page().await? {
        pace.admit(1).await?;
        for name in &page {
            keys += 1;
            let group = selector.first_match(name);
            if group.is_none() || group == rest {
                unknown += 1;
                example.get_or_insert_with(|| escape(name));
            }
        }
        progress.advance(page.len() as u64);
    }
    let new = unknown.saturating_sub(expected);
    if new > MANY_NEW && new * 100 > keys {
        problems.push(format!(
            "{new} new keys belong to no group of the plan, such as {}",
            example.unwrap_or_default()
        ));
    }
    Ok(())
}

async fn no_new_collisions(
    plan: &Plan,
    source: &Place,
    targets: &BTreeMap<String, Place>,
    options: &CheckOptions,
    progress: &dyn Progress,
    problems: &mut Vec<String>,
) -> Result<()> {
    let found = collisions(plan, source, targets, options.limits, progress).await?;
    for (group, count) in plan.groups.iter().zip(found) {
        // Programs that use the new database before their keys arrive have created some of them
        // there, and those stay unchanged. A drained group cannot have any.
        let drained = group.verdict == Verdict::Drain && options.drained.contains(&group.name);
        if drained && count > group.collisions {
            problems.push(format!(
                "{count} names of {} exist in {} already; there were {} when the plan was made",
                group.name, group.database, group.collisions
            ));
        }
    }
    Ok(())
}

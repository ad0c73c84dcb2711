//! Builds a migration from a plan or a journal; the configuration resolves the names in the file.

use std::collections::BTreeMap;
use std::path::Path;

use compartment_admin::migrate::{Migration, Routes};
use compartment_admin::{CheckOptions, Group, Plan, Verdict, advice, check, plans, unescape};

use super::options::{options, with_journal};
use crate::args;
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::settings::Settings;
use crate::{places, screen};

/// The migration of a plan, limited to the groups that are chosen and, where required, drained.
pub(super) async fn of_plan(
    settings: &Settings,
    command: &args::Migrate,
    path: &Path,
    progress: &KeyProgress,
) -> Result<Migration, CliError> {
    let plan = plans::read(path)?;
    let source = places::of_server(settings, &plan.source.server, plan.source.index).await?;
    let source = source.with_prefix(unescape(&plan.source.prefix));
    let mut by_name = BTreeMap::new();
    for target in &plan.targets {
        let place = places::resolve_in(settings, &target.database).await?;
        by_name.insert(target.database.clone(), place);
    }
    let takes_part = |group: &Group| takes_part(command, group);
    check_choice(command, &plan)?;
    let name = path.file_stem().map_or("plan".into(), |stem| stem.to_string_lossy());
    let migration = Migration {
        source,
        targets: plan
            .targets
            .iter()
            .filter_map(|one| by_name.get(&one.database).cloned())
            .collect(),
        routes: Routes::of_plan(&plan, takes_part),
        options: options(command),
    };
    let mut migration = with_journal(migration, command, &name)?;
    let mut held = CheckOptions::default();
    held.drained = command.drained.clone();
    held.drained_anyway = command.drained_anyway;
    held.goes_on = migration.options.journal.exists();
    held.limits = command.load.into();
    check(&plan, &migration.source, &by_name, &held, progress).await?;
    // Instructions only for the groups that move: a program whose setting changes before its keys move would use an
    // empty queue.
    let mut moving = plan;
    moving.groups.retain(takes_part);
    for one in advice(&moving, &settings.map) {
        let instructions = &mut migration.options.instructions;
        instructions.push(format!("{}, in {}:", one.program, one.file));
        instructions.extend(one.lines.iter().map(|line| format!("    {line}")));
    }
    Ok(migration)
}

/// Whether a group moves: it is chosen, and can move at any time or has been drained.
fn takes_part(command: &args::Migrate, group: &Group) -> bool {
    // The catch-all group moves only if it is named.
    let is_for_all = takes_everything(group);
    let chosen = command.group.is_empty() && !is_for_all || command.group.contains(&group.name);
    chosen && (group.verdict == Verdict::Move || command.drained.contains(&group.name))
}

/// Whether the group is the catch-all, with a pattern that matches every key.
fn takes_everything(group: &Group) -> bool {
    group.patterns.iter().any(|pattern| pattern.bytes().all(|byte| byte == b'*'))
}

/// Checks that named groups exist, and that groups that belong together are chosen together.
fn check_choice(command: &args::Migrate, plan: &Plan) -> Result<(), CliError> {
    for name in command.group.iter().chain(&command.drained) {
        if !plan.groups.iter().any(|group| group.name == *name) {
            let known: Vec<&str> = plan.groups.iter().map(|group| group.name.as_str()).collect();
            return Err(CliError::new(
                ExitCode::Configuration,
                format!("the plan has no group {name:?}; it has: {}", known.join(", ")),
            ));
        }
    }
    let moves = |group: &&Group| group.verdict != Verdict::Stay;
    for group in plan.groups.iter().filter(moves) {
        if takes_part(command, group) {
            let left = plan.groups.iter().filter(moves).find(|other| {
                !group.together.is_empty()
                    && other.together == group.together
                    && !takes_part(command, other)
            });
            if let Some(left) = left {
                return Err(CliError::new(
                    ExitCode::Unsafe,
                    format!(
                        "{:?} and {:?} belong together ({}): move both in one run",
                        group.name, left.name, group.together
                    ),
                ));
            }
        } else if command.group.is_empty() && takes_everything(group) {
            screen::remark(format!(
                "{0} stays: its pattern matches every key that no other group has; to move all of \
                 them use --group {0:?}",
                group.name
            ));
        } else if command.group.is_empty() || command.group.contains(&group.name) {
            screen::remark(format!(
                "{} stays for now: stop its writers and readers, then add --drained {:?}",
                group.name, group.name
            ));
        }
    }
    Ok(())
}

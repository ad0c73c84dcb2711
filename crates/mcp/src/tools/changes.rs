//! The tools that change: a dry run makes a plan, and a plan is acted on once.

use std::path::PathBuf;

use compartment_operations::changes::{Change, ChangeDone, PlannedChange};
use rmcp::model::JsonObject;

use super::arguments::{
    BackupDatabase, CleanupOldCache, FlushDatabase, MigrateKeys, RetryFailed, SetMemoryLimit,
};
use super::results::{ChangeResult, DoneLine, PlanLine};
use super::{Said, cache, read};
use crate::answer::{Answer, Problem};
use crate::caller::Called;
use crate::serving::Serving;

/// A change, and whether to plan it or to act.
struct Wanted {
    change: Change,
    dry_run: bool,
    plan_id: Option<String>,
}

pub(crate) async fn call(
    server: &Serving,
    name: &str,
    arguments: JsonObject,
    called: &Called,
) -> Answer<Said> {
    let Wanted { change, dry_run, plan_id } = wanted(server, name, arguments)?;
    match (dry_run, plan_id) {
        (true, None) => planned(&server.changes().plan(change, &called.actor).await?),
        (false, Some(id)) => done(&server.changes().act_on(&id, &change, &called.actor).await?),
        (true, Some(_)) => Err(Problem(
            "a plan_id is for dry_run false; nothing was changed. To act on the plan, repeat the call with dry_run \
             false; to plan anew, leave the plan_id out"
                .to_owned(),
        )),
        (false, None) => Err(Problem(
            "a change needs the plan_id of a dry run; nothing was changed. Call the tool with dry_run true first, and \
             show its plan to the user"
                .to_owned(),
        )),
    }
}

fn wanted(server: &Serving, name: &str, arguments: JsonObject) -> Answer<Wanted> {
    match name {
        "cleanup_old_cache" => {
            let CleanupOldCache { older_than_hours, database, pattern, dry_run, plan_id } =
                read(arguments)?;
            let database = cache::name(server, database)?;
            let change = Change::CleanupCache { database, older_than_hours, pattern };
            Ok(Wanted { change, dry_run, plan_id })
        }
        "set_memory_limit" => {
            let SetMemoryLimit { max_memory_mb, policy, instance, force, dry_run, plan_id } =
                read(arguments)?;
            let change = Change::SetMemoryLimit { instance, max_memory_mb, policy, force };
            Ok(Wanted { change, dry_run, plan_id })
        }
        "migrate_keys" => {
            let MigrateKeys { from, to, pattern, dry_run, plan_id } = read(arguments)?;
            Ok(Wanted { change: Change::MigrateKeys { from, to, pattern }, dry_run, plan_id })
        }
        "backup_database" => {
            let BackupDatabase { database, file, dry_run, plan_id } = read(arguments)?;
            let change = Change::BackupDatabase { database, file: PathBuf::from(file) };
            Ok(Wanted { change, dry_run, plan_id })
        }
        "flush_database" => {
            let FlushDatabase { database, pattern, yes_really, dry_run, plan_id } =
                read(arguments)?;
            let change = Change::FlushDatabase { database, pattern, yes_really };
            Ok(Wanted { change, dry_run, plan_id })
        }
        "retry_failed" => {
            let RetryFailed { batch, stage, error, dry_run, plan_id } = read(arguments)?;
            Ok(Wanted { change: Change::RetryFailed { batch, stage, error }, dry_run, plan_id })
        }
        name => Err(Problem(format!("there is no tool {name:?}"))),
    }
}

fn planned(plan: &PlannedChange) -> Answer<Said> {
    let is_refused = !plan.refusals.is_empty();
    let next = match is_refused {
        true => "it is refused for these reasons; nothing was changed",
        false => {
            "show this plan to the user; to act, repeat the same arguments with dry_run false and this plan_id"
        }
    };
    let line = PlanLine {
        plan_id: (!is_refused).then(|| plan.id.clone()),
        summary: plan.summary.clone(),
        touches: plan.touches.clone(),
        count: plan.count,
        server: plan.server.clone(),
        digest: plan.digest.clone(),
        refusals: plan.refusals.clone(),
        valid_for_seconds: plan.expires_ms.saturating_sub(plan.made_ms) / 1_000,
        next: next.to_owned(),
    };
    let result = ChangeResult { dry_run: true, plan: Some(line), done: None };
    Said::new(format!("Nothing was changed. The plan: {}.", plan.summary), &result)
}

fn done(done: &ChangeDone) -> Answer<Said> {
    let line = DoneLine {
        plan_id: done.plan_id.clone(),
        summary: done.summary.clone(),
        count: done.count,
        before: done.before.clone(),
        after: done.after.clone(),
        notes: done.notes.clone(),
    };
    let result = ChangeResult { dry_run: false, plan: None, done: Some(line) };
    Said::new(format!("Done: {}.", done.summary), &result)
}

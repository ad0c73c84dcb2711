//! `compartment batch list`: one line for each batch.

use compartment::Databases;
use compartment::clock::{Clock, SystemClock};
use compartment::database_map::Role;
use compartment::pipeline::BatchRegistry;
use compartment_operations::work::batch_status;
use serde_json::json;

use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, STRONG};

pub(super) async fn run(databases: &Databases, as_json: bool) -> Result<ExitCode, CliError> {
    let database = databases.role(Role::Batch)?;
    let now = SystemClock.now();
    let mut rows = Vec::new();
    for (record, progress) in BatchRegistry::new(database.clone()).list_with_progress().await? {
        match progress {
            Ok(progress) => rows.push((record, progress, "gone")),
            // Its keys are not those of a batch; the others are.
            Err(error) => {
                screen::remark(format!("{STRONG}note:{STRONG:#} failed to {error}"));
                rows.push((record, None, "unreadable"));
            }
        }
    }
    if as_json {
        let rows = rows.iter().map(|(record, progress, without)| {
            let progress = progress.as_ref();
            json!({
                "name": record.name,
                "pipeline": record.pipeline,
                "class": record.class,
                "created_ms": record.created_at.as_millis(),
                "status": progress.map_or(*without, |progress| batch_status(progress.status, progress.is_paused)),
                "total": progress.map(|progress| progress.total),
                "done": progress.map(|progress| progress.done),
                "dead": progress.map(|progress| progress.dead),
            })
        });
        screen::say_json(&json!(rows.collect::<Vec<_>>()));
        return Ok(ExitCode::Success);
    }
    if rows.is_empty() {
        screen::say("there are no batches; `compartment batch submit NAME PATH` makes one");
        return Ok(ExitCode::Success);
    }
    let header = ["batch", "status", "class", "age", "documents", "done", "dead"];
    let mut table = screen::table(&header, &[3, 4, 5, 6]);
    for (record, progress, without) in &rows {
        let progress = progress.as_ref();
        let figure = |number: Option<u64>| number.map_or_else(|| "–".into(), screen::count);
        table.add_row([
            record.name.clone(),
            progress
                .map_or(*without, |progress| batch_status(progress.status, progress.is_paused))
                .to_owned(),
            format!("{:?}", record.class).to_lowercase(),
            screen::time(now.since(record.created_at)),
            figure(progress.map(|progress| progress.total)),
            figure(progress.map(|progress| progress.done)),
            figure(progress.map(|progress| progress.dead)),
        ]);
    }
    screen::say_lines(table.to_string());
    Ok(ExitCode::Success)
}

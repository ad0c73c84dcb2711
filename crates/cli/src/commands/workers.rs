//! `compartment workers`: lists the workers, their documents in progress, and those that are gone.

use compartment::clock::{Clock, SystemClock};
use compartment::database_map::Role;
use compartment::pipeline::{WorkerState, workers};
use serde_json::json;

use super::batch;
use crate::args::{self, General, WorkersCommand};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, Style};
use crate::settings;
use crate::table::Cell;

pub(crate) async fn run(general: &General, command: args::Workers) -> Result<ExitCode, CliError> {
    let databases = batch::open(settings::load(general)?.map).await?;
    let WorkersCommand::List { json } = command.command;
    let states = workers(databases.role(Role::Batch)?).await?;
    let now = SystemClock.now();
    if json {
        let states = states.iter().map(|state| {
            let mut value = json!(state);
            value["is_gone"] = json!(state.is_gone(now));
            value
        });
        screen::say_json(&json!(states.collect::<Vec<_>>()));
        return Ok(ExitCode::Success);
    }
    if states.is_empty() {
        screen::say("there are no workers; `compartment worker` starts one");
        return Ok(ExitCode::Success);
    }
    let header = ["worker", "up", "seen", "slots", "done", "failed", "memory", "works on"];
    let mut table = screen::table(&header, &[1, 2, 3, 4, 5, 6]);
    for state in &states {
        let seen = screen::time(now.since(state.seen_at));
        let style = if state.is_gone(now) { BAD } else { Style::default() };
        let figures = [
            screen::time(now.since(state.started_at)),
            seen,
            format!("{}/{}", state.running.len(), state.concurrency),
            screen::count(state.done),
            screen::count(state.failed),
            state.memory.map_or_else(|| "–".into(), compartment_admin::size),
        ];
        let mut cells = vec![Cell::from(&state.id)];
        cells.extend(figures.iter().enumerate().map(|(at, figure)| match at {
            1 => Cell::styled(figure, style),
            _ => Cell::from(figure),
        }));
        cells.push(works_on(state).into());
        table.add_row(cells);
    }
    screen::say_lines(table.to_string());
    let gone = states.iter().filter(|state| state.is_gone(now)).count();
    if gone > 0 {
        screen::say(format!(
            "{BAD}{gone} gone{BAD:#}: silent for more than 15 s; other workers take over their \
             documents when the leases expire"
        ));
    }
    Ok(ExitCode::Success)
}

fn works_on(state: &WorkerState) -> String {
    match state.running.first() {
        Some(one) => format!("{} {} {}", one.source, one.stage, one.name),
        None if state.is_ending => "ending".into(),
        None => "nothing".into(),
    }
}

//! `compartment workers`: lists the workers, their documents in progress, and those that are gone.

use compartment::clock::{Clock, SystemClock};
use compartment::pipeline::WorkerState;

use super::operations;
use crate::args::{self, General, WorkersCommand};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, Style};
use crate::settings;
use crate::table::Cell;

pub(crate) async fn run(general: &General, command: args::Workers) -> Result<ExitCode, CliError> {
    let operations = operations::of_work(&settings::load(general)?, None)?;
    let WorkersCommand::List { json } = command.command;
    let workers = operations.workers().await?;
    let now = SystemClock.now();
    if json {
        screen::say_json(&workers);
        return Ok(ExitCode::Success);
    }
    if workers.is_empty() {
        screen::say("there are no workers; `compartment worker` starts one");
        return Ok(ExitCode::Success);
    }
    let header = ["worker", "up", "seen", "slots", "done", "failed", "memory", "works on"];
    let mut table = screen::table(&header, &[1, 2, 3, 4, 5, 6]);
    for worker in &workers {
        let state = &worker.state;
        let seen = screen::time(now.since(state.seen_at));
        let style = if worker.is_gone { BAD } else { Style::default() };
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
    let gone = workers.iter().filter(|worker| worker.is_gone).count();
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

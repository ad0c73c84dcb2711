//! The workers: whether they live, and their work in progress.

use compartment_admin::size;
use compartment_operations::count;
use compartment_operations::work::WorkerSummary;

use crate::facts::Facts;
use crate::figures::{age, shown};
use crate::page::{Block, Page};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const COLUMNS: [Column; 9] = [
    Column::text("worker", 0, 18, 48),
    Column::text("state", 0, 7, 7),
    Column::figure("seen", 0, 9),
    Column::figure("slots", 0, 7),
    Column::figure("done", 0, 11),
    Column::figure("failed", 1, 8),
    Column::figure("memory", 1, 10),
    Column::figure("up", 3, 10),
    Column::text("works on", 2, 20, 80),
];
const RUNNING: [Column; 4] = [
    Column::figure("for", 0, 10),
    Column::text("stage", 0, 10, 20),
    Column::text("document", 0, 20, 80),
    Column::text("batch or queue", 1, 16, 48),
];

pub(super) fn table(facts: &Facts) -> Table {
    let is_old = facts.work().is_some_and(|(_, is_old)| is_old);
    let rows = workers(facts).map(|one| row(facts, one).old(is_old));
    let empty = "there are no workers; `compartment worker` starts one";
    Table::new(&COLUMNS, rows.collect(), empty)
}

fn workers(facts: &Facts) -> impl Iterator<Item = &WorkerSummary> {
    facts.work().into_iter().flat_map(|(work, _)| &work.workers)
}

/// The state in one word, and its tone.
fn state(worker: &WorkerSummary) -> (&'static str, Tone) {
    match worker {
        worker if worker.is_gone => ("gone", Tone::Bad),
        worker if worker.state.is_ending => ("ending", Tone::Warning),
        worker if worker.state.running.is_empty() => ("idle", Tone::Faint),
        _ => ("busy", Tone::Good),
    }
}

fn row(facts: &Facts, worker: &WorkerSummary) -> Row {
    let one = &worker.state;
    let (word, tone) = state(worker);
    let (seen, started) = (one.seen_at.as_millis(), one.started_at.as_millis());
    let works_on = one.running.first().map_or_else(String::new, |running| {
        format!("{} {} {}", shown(&running.source), shown(&running.stage), shown(&running.name))
    });
    let cells = vec![
        Cell::text(shown(&one.id)),
        Cell::text(word).tone(tone),
        Cell::text(age(facts.now_ms, seen)).sorted_by(seen as f64),
        Cell::text(format!("{}/{}", one.running.len(), one.concurrency))
            .sorted_by(one.running.len() as f64),
        Cell::count(one.done),
        Cell::count(one.failed),
        Cell::figure(one.memory, |bytes| bytes as f64, size),
        Cell::text(age(facts.now_ms, started)).sorted_by(started as f64),
        Cell::text(works_on),
    ];
    Row::new(&one.id, cells)
}

pub(super) fn page(facts: &Facts, id: &str) -> Option<Page> {
    let worker = workers(facts).find(|one| one.state.id == id)?;
    let one = &worker.state;
    let (word, tone) = state(worker);
    let serves: Vec<String> = one.serves.iter().map(|stage| shown(stage)).collect();
    let figures = vec![
        ("state", Cell::text(word).tone(tone)),
        ("process", Cell::text(one.pid.to_string())),
        ("up", Cell::text(age(facts.now_ms, one.started_at.as_millis()))),
        ("seen", Cell::text(format!("{} ago", age(facts.now_ms, one.seen_at.as_millis())))),
        ("done, failed", Cell::text(format!("{}, {}", count(one.done), count(one.failed)))),
        ("memory", Cell::figure(one.memory, |bytes| bytes as f64, size)),
        ("serves", Cell::text(serves.join(", "))),
    ];
    let running = one.running.iter().map(|running| {
        let since = running.since.as_millis();
        let cells = vec![
            Cell::text(age(facts.now_ms, since)),
            Cell::text(shown(&running.stage)),
            Cell::text(shown(&running.name)),
            Cell::text(shown(&running.source)),
        ];
        Row::new(&running.name, cells)
    });
    let running = Table::new(&RUNNING, running.collect(), "nothing");
    let mut page = Page::new(format!("worker {}", shown(id))).with(Block::Facts(figures));
    if worker.is_gone {
        let text = "It is silent. Other workers take over its documents when the leases expire.";
        page = page.with(Block::Text(text.to_owned(), Tone::Bad));
    }
    Some(page.under("in progress", Block::Table(running)))
}

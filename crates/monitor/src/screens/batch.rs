//! One batch: bars by stage, failures by error, what runs longest, what was slowest.

use compartment_operations::work::{BatchSummary, StageFigures};
use compartment_operations::{count, percent};

use super::batches::status_tone;
use crate::answers::BatchFigures;
use crate::facts::Facts;
use crate::figures::{age, long, rate, seconds, shown};
use crate::page::{Block, Page};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const STAGES: [Column; 7] = [
    Column::text("stage", 0, 10, 24),
    Column::text("done", 0, 20, 50),
    Column::figure("done", 1, 11),
    Column::figure("running", 0, 8),
    Column::figure("ready", 0, 10),
    Column::figure("retrying", 1, 8),
    Column::figure("dead", 0, 7),
];
const FAILURES: [Column; 3] = [
    Column::figure("documents", 0, 10),
    Column::text("stage", 0, 10, 20),
    Column::text("error", 0, 20, 200),
];
const RUNNING: [Column; 4] = [
    Column::figure("for", 0, 10),
    Column::text("stage", 0, 10, 20),
    Column::text("document", 0, 20, 80),
    Column::text("worker", 1, 14, 60),
];
const SLOWEST: [Column; 3] = [
    Column::figure("took", 0, 10),
    Column::text("stage", 0, 10, 20),
    Column::text("document", 0, 20, 120),
];

pub(super) fn page(facts: &Facts, name: &str) -> Option<Page> {
    let (work, is_old) = facts.work()?;
    let batch = work.batches.iter().find(|one| one.name == name)?;
    let mut page = Page::new(format!("batch {}", shown(name)));
    if is_old {
        let text = "its server is away; these are its last figures".to_owned();
        page = page.with(Block::Text(text, Tone::Bad));
    }
    page = page
        .with(Block::Facts(of_batch(facts, batch)))
        .under("stages", Block::Table(stages(batch)));
    match facts.batch.as_ref().filter(|(of, _)| of == name).map(|(_, found)| found) {
        None => {
            page = page.text("").with(Block::Text("reading its failures".to_owned(), Tone::Faint))
        }
        Some(Err(error)) => {
            let text = format!("its failures cannot be read: {}", shown(error));
            page = page.text("").with(Block::Text(text, Tone::Bad));
        }
        Some(Ok(found)) => {
            page = page
                .under("failures by error", Block::Table(failures(found)))
                .under("running longest", Block::Table(running(found)))
                .under("slowest, by the ledger", Block::Table(slowest(found)));
        }
    }
    Some(page)
}

fn of_batch(facts: &Facts, batch: &BatchSummary) -> Vec<(&'static str, Cell)> {
    let share = batch.done as f64 / batch.total.max(1) as f64;
    let class = format!("{:?}", batch.class).to_lowercase();
    let documents =
        format!("{} of {} done, {} dead", count(batch.done), count(batch.total), count(batch.dead));
    let mut facts = vec![
        ("status", Cell::text(shown(&batch.status)).tone(status_tone(&batch.status))),
        ("pipeline", Cell::text(format!("{}, class {class}", shown(&batch.pipeline)))),
        ("submitted", Cell::text(format!("{} ago", age(facts.now_ms, batch.created_ms)))),
        ("documents", Cell::text(documents)),
        ("done", Cell::bar(share, percent(Some(share.min(1.0))))),
    ];
    if let Some(found) = batch.documents_per_second {
        let left =
            batch.eta_seconds.map_or_else(String::new, |left| format!(", {} left", seconds(left)));
        facts.push(("rate", Cell::text(format!("{} documents/s{left}", rate(found)))));
    }
    if !batch.unserved.is_empty() && !batch.is_over() {
        let stages: Vec<String> = batch.unserved.iter().map(|stage| shown(stage)).collect();
        let text = format!("no worker serves {}", stages.join(", "));
        facts.push(("waits", Cell::text(text).tone(Tone::Warning)));
    }
    facts
}

fn stages(batch: &BatchSummary) -> Table {
    let row = |stage: &StageFigures| {
        let share = stage.done as f64 / batch.total.max(1) as f64;
        let cells = vec![
            Cell::text(shown(&stage.stage)),
            Cell::bar(share, percent(Some(share.min(1.0)))),
            Cell::count(stage.done),
            Cell::count(stage.claimed),
            Cell::count(stage.ready),
            Cell::count(stage.delayed),
            Cell::bad_count(stage.dead),
        ];
        Row::new(&stage.stage, cells)
    };
    Table::new(&STAGES, batch.stages.iter().map(row).collect(), "its stages are not known")
}

fn failures(found: &BatchFigures) -> Table {
    let rows = found.failures.iter().map(|one| {
        let cells = vec![
            Cell::bad_count(one.documents),
            Cell::text(shown(&one.stage)),
            Cell::text(shown(&one.example)),
        ];
        Row::new(&one.example, cells)
    });
    Table::new(&FAILURES, rows.collect(), "none")
}

fn running(found: &BatchFigures) -> Table {
    let rows = found.running.iter().map(|one| {
        let mark = if one.is_stuck { "! " } else { "" };
        let time = long(std::time::Duration::from_millis(one.for_ms));
        let tone = if one.is_stuck { Tone::Bad } else { Tone::Plain };
        let cells = vec![
            Cell::text(format!("{mark}{time}")).tone(tone),
            Cell::text(shown(&one.stage)),
            Cell::text(shown(&one.document)),
            Cell::text(shown(&one.worker)),
        ];
        Row::new(&one.document, cells)
    });
    Table::new(&RUNNING, rows.collect(), "nothing is in progress")
}

fn slowest(found: &BatchFigures) -> Table {
    let rows = found.slowest.iter().map(|one| {
        let time = compartment_operations::time(std::time::Duration::from_millis(one.took_ms));
        let cells =
            vec![Cell::text(time), Cell::text(shown(&one.stage)), Cell::text(shown(&one.document))];
        Row::new(&one.document, cells)
    });
    Table::new(&SLOWEST, rows.collect(), "the ledger is off, or has no rows of it")
}

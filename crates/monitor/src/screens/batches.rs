//! The batches: status, progress by stage, rate and time left.

use compartment_operations::work::BatchSummary;

use crate::facts::Facts;
use crate::figures::{age, rate, seconds, shown};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const COLUMNS: [Column; 11] = [
    Column::text("batch", 0, 14, 44),
    Column::text("status", 0, 10, 10),
    Column::text("done", 0, 16, 24),
    Column::figure("documents", 2, 11),
    Column::figure("dead", 0, 7),
    Column::figure("docs/s", 0, 8),
    Column::figure("left", 1, 9),
    Column::text("stages", 3, 8, 12),
    Column::text("class", 4, 6, 6),
    Column::figure("submitted", 5, 12),
    Column::text("waits for a worker of", 6, 22, 40),
];

pub(super) fn table(facts: &Facts) -> Table {
    let (work, is_old) = facts.work().unzip();
    let empty = match (&facts.look, work) {
        (None, _) => "waiting for the first look".to_owned(),
        (_, None) => "the map has no database for batches on a server".to_owned(),
        (_, Some(work)) => match &work.problem {
            Some(problem) => format!("the batches cannot be read: failed to {}", shown(problem)),
            None => "there are no batches; `compartment batch submit` makes one".to_owned(),
        },
    };
    let batches = work.iter().flat_map(|work| &work.batches);
    let rows = batches.map(|one| row(facts, one).old(is_old == Some(true)));
    Table::new(&COLUMNS, rows.collect(), &empty)
}

fn row(facts: &Facts, batch: &BatchSummary) -> Row {
    let share = batch.done as f64 / batch.total.max(1) as f64;
    let all = batch.total.max(1) as f64;
    let stages = batch.stages.iter().map(|stage| Some(stage.done as f64 / all)).collect();
    let submitted = format!("{} ago", age(facts.now_ms, batch.created_ms));
    let unserved: Vec<String> = batch.unserved.iter().map(|stage| shown(stage)).collect();
    let unserved = if batch.is_over() { String::new() } else { unserved.join(" ") };
    let cells = vec![
        Cell::text(shown(&batch.name)),
        Cell::text(shown(&batch.status)).tone(status_tone(&batch.status)),
        Cell::bar(share, compartment_operations::percent(Some(share.min(1.0)))),
        Cell::count(batch.total),
        Cell::bad_count(batch.dead),
        Cell::figure(batch.documents_per_second, |one| one, rate),
        Cell::figure(batch.eta_seconds, |one| one, seconds),
        Cell::spark(stages),
        Cell::text(format!("{:?}", batch.class).to_lowercase()),
        Cell::text(submitted).sorted_by(batch.created_ms as f64),
        Cell::text(unserved).tone(Tone::Warning),
    ];
    Row::new(&batch.name, cells)
}

pub(super) fn status_tone(status: &str) -> Tone {
    match status {
        "completed" => Tone::Good,
        "paused" => Tone::Warning,
        "cancelled" | "gone" | "unreadable" => Tone::Bad,
        _ => Tone::Plain,
    }
}

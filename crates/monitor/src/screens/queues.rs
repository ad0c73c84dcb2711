//! What waits: the documents of batches by stage and class, and the single tasks by stage.

use std::collections::BTreeMap;

use compartment_operations::work::Work;

use crate::facts::Facts;
use crate::figures::shown;
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const COLUMNS: [Column; 9] = [
    Column::text("stage", 0, 14, 24),
    Column::text("of", 0, 12, 14),
    Column::text("class", 0, 7, 7),
    Column::figure("waiting", 0, 10),
    Column::figure("delayed", 0, 9),
    Column::figure("running", 0, 8),
    Column::figure("dead", 0, 8),
    Column::text("state", 1, 7, 7),
    Column::text("queue", 2, 20, 60),
];

pub(super) fn table(facts: &Facts) -> Table {
    let rows = facts.work().map_or_else(Vec::new, |(work, is_old)| {
        let rows = of_batches(work).into_iter().chain(of_tasks(work));
        rows.map(|row| row.old(is_old)).collect()
    });
    Table::new(&COLUMNS, rows, "nothing waits, and no single task was ever submitted")
}

/// The counts of documents.
#[derive(Default)]
struct Counts {
    waiting: u64,
    delayed: u64,
    running: u64,
    dead: u64,
}

/// Documents of batches that go on, by stage and class.
fn of_batches(work: &Work) -> Vec<Row> {
    let mut stages: Vec<&str> = Vec::new();
    let mut counts: BTreeMap<(usize, String), Counts> = BTreeMap::new();
    for batch in work.batches.iter().filter(|batch| !batch.is_over()) {
        let class = format!("{:?}", batch.class).to_lowercase();
        for stage in &batch.stages {
            let known = stages.iter().position(|known| *known == stage.stage);
            let place = known.unwrap_or_else(|| {
                stages.push(&stage.stage);
                stages.len() - 1
            });
            let sum = counts.entry((place, class.clone())).or_default();
            // Counts of a hostile server may be of any size.
            sum.waiting = sum.waiting.saturating_add(stage.ready);
            sum.delayed = sum.delayed.saturating_add(stage.delayed);
            sum.running = sum.running.saturating_add(stage.claimed);
            sum.dead = sum.dead.saturating_add(stage.dead);
        }
    }
    let row = |((place, class), sum): ((usize, String), Counts)| {
        let stage = stages[place];
        let cells = vec![
            Cell::text(shown(stage)),
            Cell::text("batches"),
            Cell::text(&class),
            Cell::count(sum.waiting),
            Cell::count(sum.delayed),
            Cell::count(sum.running),
            Cell::bad_count(sum.dead),
            Cell::text(""),
            Cell::text(""),
        ];
        Row::new(format!("batches {stage} {class}"), cells)
    };
    counts.into_iter().map(row).collect()
}

/// Single tasks, by stage.
fn of_tasks(work: &Work) -> impl Iterator<Item = Row> {
    work.queues.iter().map(|one| {
        let (state, tone) =
            if one.is_paused { ("paused", Tone::Warning) } else { ("open", Tone::Plain) };
        let cells = vec![
            Cell::text(shown(&one.stage)),
            Cell::text("single tasks"),
            Cell::text("all"),
            Cell::count(one.waiting),
            Cell::count(one.delayed),
            Cell::count(one.claimed),
            Cell::bad_count(one.dead),
            Cell::text(state).tone(tone),
            Cell::text(shown(&one.queue)),
        ];
        Row::new(format!("tasks {}", one.queue), cells)
    })
}

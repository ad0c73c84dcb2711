//! The alerts that were raised and cleared while the monitor has run.

use compartment_operations::alerts::{Alert, AlertState};

use crate::facts::Facts;
use crate::figures::{age, shown};
use crate::page::{Block, Page};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const COLUMNS: [Column; 5] = [
    Column::figure("when", 0, 14),
    Column::text("alert", 0, 9, 9),
    Column::text("state", 0, 8, 8),
    Column::text("check", 0, 14, 32),
    Column::text("found", 0, 26, 200),
];

fn id(alert: &Alert) -> String {
    format!("{} {} {} {}", alert.at_ms, alert.check, alert.subject, alert.state)
}

pub(super) fn table(facts: &Facts) -> Table {
    let rows = facts.alerts.iter().map(|one| {
        let tone = match one.state {
            AlertState::Cleared => Tone::Good,
            _ => Tone::of(one.severity),
        };
        let cells = vec![
            Cell::text(format!("{} ago", age(facts.now_ms, one.at_ms))).sorted_by(one.at_ms as f64),
            Cell::text(one.state.to_string()).tone(tone),
            Cell::text(one.severity.to_string()),
            Cell::text(format!("{}, {}", shown(&one.check), shown(&one.subject))),
            Cell::text(shown(&one.message)),
        ];
        Row::new(id(one), cells)
    });
    let empty = "no alert since the monitor was started; it shows alerts, and delivers none";
    Table::new(&COLUMNS, rows.collect(), empty)
}

pub(super) fn page(facts: &Facts, wanted: &str) -> Option<Page> {
    let one = facts.alerts.iter().find(|one| id(one) == wanted)?;
    let figures = vec![
        ("alert", Cell::text(one.state.to_string())),
        ("state", Cell::text(one.severity.to_string()).tone(Tone::of(one.severity))),
        ("of", Cell::text(shown(&one.subject))),
        ("when", Cell::text(format!("{} ago", age(facts.now_ms, one.at_ms)))),
        ("bad since", Cell::text(format!("{} ago", age(facts.now_ms, one.since_ms)))),
    ];
    let page = Page::new(format!("alert {}", shown(&one.check)))
        .with(Block::Facts(figures))
        .under("found", Block::Text(shown(&one.message), Tone::Plain));
    Some(page)
}

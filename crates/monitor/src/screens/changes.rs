//! The changes that were made, by the audit log.

use crate::answers::ChangeLine;
use crate::facts::Facts;
use crate::figures::{age, shown};
use crate::page::{Block, Page};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const COLUMNS: [Column; 4] = [
    Column::figure("when", 0, 14),
    Column::text("who", 0, 14, 30),
    Column::text("outcome", 0, 8, 10),
    Column::text("change", 0, 30, 200),
];

pub(super) fn table(facts: &Facts) -> Table {
    let (lines, empty) = match &facts.changes {
        None => (&[][..], "reading the audit log".to_owned()),
        Some(Err(error)) => (&[][..], format!("the audit log cannot be read: {}", shown(error))),
        Some(Ok(lines)) => (lines.as_slice(), "no change was made through Compartment".to_owned()),
    };
    let row = |one: &ChangeLine| {
        let tone = if one.outcome == "done" { Tone::Good } else { Tone::Warning };
        let cells = vec![
            Cell::text(format!("{} ago", age(facts.now_ms, one.at_ms))).sorted_by(one.at_ms as f64),
            Cell::text(shown(&one.actor)),
            Cell::text(shown(&one.outcome)).tone(tone),
            Cell::text(shown(&one.summary)),
        ];
        Row::new(one.id(), cells)
    };
    Table::new(&COLUMNS, lines.iter().map(row).collect(), &empty)
}

pub(super) fn page(facts: &Facts, id: &str) -> Option<Page> {
    let lines = facts.changes.as_ref()?.as_ref().ok()?;
    let one = lines.iter().find(|one| one.id() == id)?;
    let figures = vec![
        ("when", Cell::text(format!("{} ago", age(facts.now_ms, one.at_ms)))),
        ("who", Cell::text(shown(&one.actor))),
        ("outcome", Cell::text(shown(&one.outcome))),
        ("change", Cell::text(shown(&one.summary))),
    ];
    let mut page = Page::new("change").with(Block::Facts(figures));
    page = page.with(Block::Title("entry of the audit log".to_owned()));
    for line in one.entry.lines() {
        page = page.text(shown(line));
    }
    Some(page)
}

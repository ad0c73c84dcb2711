//! The checks of health.

use compartment_admin::health::Check;

use crate::facts::Facts;
use crate::figures::shown;
use crate::page::{Block, Page};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const COLUMNS: [Column; 4] = [
    Column::text("state", 0, 8, 8),
    Column::text("check", 0, 14, 16),
    Column::text("of", 0, 18, 32),
    Column::text("found", 0, 30, 200),
];

fn checks(facts: &Facts) -> impl Iterator<Item = &Check> {
    let health = facts.look.iter().filter_map(|look| look.health.as_ref());
    health.flat_map(|health| &health.checks)
}

fn id(check: &Check) -> String {
    format!("{} {}", check.name, check.subject)
}

pub(super) fn table(facts: &Facts) -> Table {
    let rows = checks(facts).map(|one| {
        let cells = vec![
            Cell::text(one.state.to_string())
                .tone(Tone::of(one.state))
                .sorted_by(f64::from(one.state as u8)),
            Cell::text(shown(&one.name)),
            Cell::text(shown(&one.subject)),
            Cell::text(shown(&one.message)),
        ];
        Row::new(id(one), cells)
    });
    Table::new(&COLUMNS, rows.collect(), "nothing was checked yet")
}

pub(super) fn page(facts: &Facts, wanted: &str) -> Option<Page> {
    let one = checks(facts).find(|one| id(one) == wanted)?;
    let mut figures = vec![
        ("state", Cell::text(one.state.to_string()).tone(Tone::of(one.state))),
        ("of", Cell::text(shown(&one.subject))),
    ];
    figures.extend(one.figure.map(|figure| ("figure", Cell::text(figure.to_string()))));
    figures.extend(one.threshold.map(|limit| ("threshold", Cell::text(limit.to_string()))));
    let page = Page::new(format!("check {}", shown(&one.name)))
        .with(Block::Facts(figures))
        .under("found", Block::Text(shown(&one.message), Tone::Plain));
    Some(page)
}

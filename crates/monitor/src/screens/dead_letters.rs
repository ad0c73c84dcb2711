//! The dead letters: single tasks that failed for good.

use crate::answers::Letter;
use crate::facts::Facts;
use crate::figures::{age, shown};
use crate::page::{Block, Page};
use crate::palette::Tone;
use crate::table::{Cell, Column, Row, Table};

const COLUMNS: [Column; 6] = [
    Column::figure("task", 0, 10),
    Column::text("stage", 0, 10, 20),
    Column::text("error", 0, 30, 200),
    Column::figure("tries", 1, 6),
    Column::figure("died", 1, 12),
    Column::text("class", 2, 7, 7),
];

pub(super) fn table(facts: &Facts) -> Table {
    let (letters, empty) = match &facts.letters {
        None => (&[][..], "reading the dead letters".to_owned()),
        Some(Err(error)) => (&[][..], format!("the dead letters cannot be read: {}", shown(error))),
        Some(Ok(letters)) => (
            letters.as_slice(),
            "there are no dead letters of single tasks; \
             failed documents are on the page of their batch"
                .to_owned(),
        ),
    };
    let row = |letter: &Letter| {
        let cells = vec![
            Cell::text(letter.number.to_string()).sorted_by(letter.number as f64),
            Cell::text(shown(&letter.stage)),
            Cell::text(shown(&letter.error)),
            Cell::count(letter.attempts.into()),
            Cell::text(format!("{} ago", age(facts.now_ms, letter.died_ms)))
                .sorted_by(letter.died_ms as f64),
            Cell::text(shown(&letter.class)),
        ];
        Row::new(letter.id(), cells)
    };
    Table::new(&COLUMNS, letters.iter().map(row).collect(), &empty)
}

pub(super) fn page(facts: &Facts, id: &str) -> Option<Page> {
    let letters = facts.letters.as_ref()?.as_ref().ok()?;
    let letter = letters.iter().find(|one| one.id() == id)?;
    let ago = |then| format!("{} ago", age(facts.now_ms, then));
    let mut figures = vec![
        ("stage", Cell::text(shown(&letter.stage))),
        ("class", Cell::text(shown(&letter.class))),
        ("attempts", Cell::text(letter.attempts.to_string())),
        ("submitted", Cell::text(ago(letter.submitted_ms))),
        ("died", Cell::text(ago(letter.died_ms))),
    ];
    if letter.lost > 0 {
        let text = format!("{} times: its worker disappeared", letter.lost);
        figures.push(("lost", Cell::text(text).tone(Tone::Bad)));
    }
    let page = Page::new(format!("dead letter {} of {}", letter.number, shown(&letter.stage)))
        .with(Block::Facts(figures))
        .under("error", Block::Text(shown(&letter.error), Tone::Bad))
        .under("data", Block::Text(shown(&letter.data), Tone::Plain));
    Some(page)
}

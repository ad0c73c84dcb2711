//! A page about one thing: texts, facts, tables and figures over time, one below the other.

use ratatui::layout::Rect;

use crate::canvas::{Canvas, lines};
use crate::palette::Tone;
use crate::table::{Cell, Shape, Table};

/// The cells of the names of facts.
const NAMES: u16 = 18;

/// A part of a page.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    /// The heading of the parts that follow.
    Title(String),
    Text(String, Tone),
    /// Names with their values.
    Facts(Vec<(&'static str, Cell)>),
    Table(Table),
}

/// A page about one thing.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

/// Goes down a page line by line. Lines outside the area are counted and not drawn.
struct Pen<'a, 'b> {
    canvas: Option<&'a mut Canvas<'b>>,
    area: Rect,
    /// Lines above the area that are still to come.
    skip: u16,
    /// Lines so far.
    line: u16,
}

impl Pen<'_, '_> {
    fn line(&mut self, draw: impl FnOnce(&mut Canvas<'_>, u16)) {
        let (skip, height) = (self.skip, self.area.height);
        if let Some(canvas) = self.canvas.as_deref_mut()
            && (skip..skip.saturating_add(height)).contains(&self.line)
        {
            draw(canvas, self.area.y + self.line - skip);
        }
        self.line = self.line.saturating_add(1);
    }
}

impl Page {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// With one part more.
    pub(crate) fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// With a text in the ordinary tone.
    pub(crate) fn text(self, text: impl Into<String>) -> Self {
        self.with(Block::Text(text.into(), Tone::Plain))
    }

    /// With a heading and the part below it.
    pub(crate) fn under(self, title: &str, block: Block) -> Self {
        self.with(Block::Title(title.to_owned())).with(block)
    }

    /// The lines that it has at a width.
    pub(crate) fn height(&self, width: u16) -> u16 {
        let area = Rect::new(0, 0, width, 0);
        let mut pen = Pen { canvas: None, area, skip: 0, line: 0 };
        self.write(&mut pen);
        pen.line
    }

    /// Draws the lines that fit, after the first `skip`.
    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>, area: Rect, skip: u16) {
        let mut pen = Pen { canvas: Some(canvas), area, skip, line: 0 };
        self.write(&mut pen);
    }

    fn write(&self, pen: &mut Pen<'_, '_>) {
        let (x, width) = (pen.area.x, pen.area.width);
        for block in &self.blocks {
            match block {
                Block::Title(title) => {
                    if pen.line > 0 {
                        pen.line(|_, _| {});
                    }
                    pen.line(|canvas, y| canvas.text(x, y, width, title, Tone::Strong));
                }
                Block::Text(text, tone) => {
                    for line in lines(text, width) {
                        pen.line(|canvas, y| canvas.text(x, y, width, &line, *tone));
                    }
                }
                Block::Facts(facts) => {
                    facts.iter().for_each(|(name, cell)| write_fact(pen, name, cell));
                }
                Block::Table(table) => write_table(pen, table),
            }
        }
    }
}

fn write_fact(pen: &mut Pen<'_, '_>, name: &str, cell: &Cell) {
    let (x, width) = (pen.area.x, pen.area.width);
    let room = width.saturating_sub(NAMES);
    let Shape::Text(text) = &cell.shape else {
        pen.line(|canvas, y| {
            canvas.text(x, y, NAMES - 1, name, Tone::Faint);
            write_cell(canvas, (x + NAMES, y), room.min(60), cell, false, cell.tone);
        });
        return;
    };
    for (at, line) in lines(text, room).into_iter().enumerate() {
        pen.line(|canvas, y| {
            if at == 0 {
                canvas.text(x, y, NAMES - 1, name, Tone::Faint);
            }
            canvas.text(x + NAMES, y, room, &line, cell.tone);
        });
    }
}

fn write_table(pen: &mut Pen<'_, '_>, table: &Table) {
    let (x, width) = (pen.area.x, pen.area.width);
    if table.rows.is_empty() {
        for line in lines(&table.empty, width) {
            pen.line(|canvas, y| canvas.text(x, y, width, &line, Tone::Faint));
        }
        return;
    }
    let widths = table.widths(width);
    pen.line(|canvas, y| write_header(canvas, (x, y), table, &widths, None));
    for row in &table.rows {
        pen.line(|canvas, y| write_row(canvas, (x, y), table, &widths, row));
    }
}

/// Draws the titles of columns. `sorted` is the column that the rows are sorted by, and the sign of its direction.
pub(crate) fn write_header(
    canvas: &mut Canvas<'_>,
    (mut x, y): (u16, u16),
    table: &Table,
    widths: &[(usize, u16)],
    sorted: Option<(usize, &str)>,
) {
    for (place, width) in widths {
        let column = &table.columns[*place];
        let title = match sorted {
            Some((by, sign)) if by == *place => format!("{}{sign}", column.title),
            _ => column.title.to_owned(),
        };
        match column.is_right {
            true => canvas.right(x, y, *width, &title, Tone::Strong),
            false => canvas.text(x, y, *width, &title, Tone::Strong),
        }
        x += width + 1;
    }
}

/// Draws a row.
pub(crate) fn write_row(
    canvas: &mut Canvas<'_>,
    (mut x, y): (u16, u16),
    table: &Table,
    widths: &[(usize, u16)],
    row: &crate::table::Row,
) {
    for (place, width) in widths {
        if let Some(cell) = row.cells.get(*place) {
            let tone = if row.is_old { Tone::Faint } else { cell.tone };
            write_cell(canvas, (x, y), *width, cell, table.columns[*place].is_right, tone);
        }
        x += width + 1;
    }
}

fn write_cell(
    canvas: &mut Canvas<'_>,
    (x, y): (u16, u16),
    width: u16,
    cell: &Cell,
    is_right: bool,
    tone: Tone,
) {
    match &cell.shape {
        Shape::Text(text) if is_right => canvas.right(x, y, width, text, tone),
        Shape::Text(text) => canvas.text(x, y, width, text, tone),
        Shape::Bar(share, text) => canvas.bar(x, y, width, *share, text, tone),
        Shape::Spark(values) => canvas.spark(x, y, width, values, tone),
    }
}

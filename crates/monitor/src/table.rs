//! Tables as data: columns, rows, and cells that know how they are sorted.

use std::cmp::Ordering;

use crate::palette::Tone;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// Cells that it takes at least.
    pub(crate) least: u16,
    /// Cells that it takes if there is room.
    pub(crate) most: u16,
    pub(crate) is_right: bool,
    /// The columns with the highest rank are left out first where the terminal is narrow.
    pub(crate) rank: u8,
}

impl Column {
    /// A column of texts.
    pub(crate) const fn text(title: &'static str, rank: u8, least: u16, most: u16) -> Self {
        Self { title, least, most, is_right: false, rank }
    }

    /// A column of figures, which end at its right.
    pub(crate) const fn figure(title: &'static str, rank: u8, least: u16) -> Self {
        Self { title, least, most: least, is_right: true, rank }
    }
}

/// How a cell is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Text(String),
    /// A share of 1, and the text beside it.
    Bar(f64, String),
    /// Values over time, the oldest first; `None` where there is none.
    Spark(Vec<Option<f64>>),
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) shape: Shape,
    pub(crate) tone: Tone,
    /// What it is sorted by, if not by its text.
    figure: Option<f64>,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { shape: Shape::Text(text.into()), tone: Tone::Plain, figure: None }
    }

    /// A figure and the text that shows it; a dash if there is none.
    pub(crate) fn figure<T: Copy>(
        figure: Option<T>,
        sorted_by: impl Fn(T) -> f64,
        text: impl Fn(T) -> String,
    ) -> Self {
        let shape = Shape::Text(figure.map_or_else(|| "–".to_owned(), text));
        Self { shape, tone: Tone::Plain, figure: figure.map(sorted_by) }
    }

    /// A count.
    pub(crate) fn count(count: u64) -> Self {
        Self::figure(Some(count), |count| count as f64, compartment_operations::count)
    }

    /// A count that is nothing to worry about only while it is 0.
    pub(crate) fn bad_count(count: u64) -> Self {
        Self::count(count).tone(if count > 0 { Tone::Bad } else { Tone::Faint })
    }

    pub(crate) fn bar(share: f64, text: impl Into<String>) -> Self {
        Self { shape: Shape::Bar(share, text.into()), tone: Tone::Plain, figure: Some(share) }
    }

    pub(crate) fn spark(values: Vec<Option<f64>>) -> Self {
        let figure = values.last().copied().flatten();
        Self { shape: Shape::Spark(values), tone: Tone::Plain, figure }
    }

    pub(crate) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// Sorts by a figure that the text does not show, such as a time.
    pub(crate) fn sorted_by(mut self, figure: f64) -> Self {
        self.figure = Some(figure);
        self
    }

    /// The text of it, for filters.
    pub(crate) fn words(&self) -> &str {
        match &self.shape {
            Shape::Text(text) | Shape::Bar(_, text) => text,
            Shape::Spark(_) => "",
        }
    }

    /// Figures before texts, and what is not known at the beginning.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self.figure, other.figure) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            (None, None) => self.words().to_lowercase().cmp(&other.words().to_lowercase()),
            (one, other) => one.is_some().cmp(&other.is_some()),
        }
    }
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// What it is about. It stays the same from look to look.
    pub(crate) id: String,
    pub(crate) cells: Vec<Cell>,
    /// Whether its figures are of an earlier look, because its server is away.
    pub(crate) is_old: bool,
}

impl Row {
    pub(crate) fn new(id: impl Into<String>, cells: Vec<Cell>) -> Self {
        Self { id: id.into(), cells, is_old: false }
    }

    pub(crate) fn old(mut self, is_old: bool) -> Self {
        self.is_old = is_old;
        self
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) columns: &'static [Column],
    pub(crate) rows: Vec<Row>,
    /// The text that stands in place of no rows.
    pub(crate) empty: String,
}

impl Table {
    pub(crate) fn new(columns: &'static [Column], rows: Vec<Row>, empty: &str) -> Self {
        Self { columns, rows, empty: empty.to_owned() }
    }

    /// The columns that fit, each with its place in the table and its cells.
    pub(crate) fn widths(&self, room: u16) -> Vec<(usize, u16)> {
        let mut ranks: Vec<usize> = (0..self.columns.len()).collect();
        ranks.sort_by_key(|place| self.columns[*place].rank);
        let mut left = room;
        let mut shown: Vec<(usize, u16)> = Vec::new();
        for place in ranks {
            let gap = u16::from(!shown.is_empty());
            let needs = self.columns[place].least + gap;
            // The first column is shown however narrow the terminal is.
            if needs > left && !shown.is_empty() {
                break;
            }
            left = left.saturating_sub(needs);
            shown.push((place, self.columns[place].least));
        }
        shown.sort_unstable_by_key(|(place, _)| *place);
        for (place, width) in &mut shown {
            let more = (self.columns[*place].most - self.columns[*place].least).min(left);
            *width += more;
            left -= more;
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::text("name", 0, 4, 20),
        Column::figure("keys", 2, 6),
        Column::figure("bytes", 1, 6),
    ];

    #[test]
    fn a_narrow_terminal_has_fewer_columns_and_a_wide_one_wider_ones() {
        let table = Table::new(&COLUMNS, Vec::new(), "");
        assert_eq!(table.widths(3), [(0, 4)]);
        assert_eq!(table.widths(11), [(0, 4), (2, 6)]);
        assert_eq!(table.widths(18), [(0, 4), (1, 6), (2, 6)]);
        assert_eq!(table.widths(80), [(0, 20), (1, 6), (2, 6)]);
    }

    #[test]
    fn figures_sort_as_figures_and_what_is_not_known_comes_first() {
        let mut cells = [
            Cell::count(1_000),
            Cell::figure(None::<u64>, |_| 0.0, |_| String::new()),
            Cell::count(999),
        ];
        cells.sort_by(Cell::order);
        let texts: Vec<_> = cells.iter().map(Cell::words).collect();
        assert_eq!(texts, ["–", "999", "1,000"]);
        assert_eq!(Cell::text("B").order(&Cell::text("a")), Ordering::Greater);
    }
}

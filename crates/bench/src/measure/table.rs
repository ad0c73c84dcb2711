//! Tables without lines that fit 80 columns.

use comfy_table::{CellAlignment, Table, presets};

use super::rounds::{Figure, Row};
use super::statistics::short;

/// A table without lines.
pub(crate) fn plain<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.into_iter().map(Into::into).collect::<Vec<String>>());
    table
}

/// Aligns all columns but the first to the right.
pub(crate) fn align(table: &mut Table) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// Each row's contenders side by side, with their ratios.
pub(crate) fn side_by_side(contenders: &[&str], rows: &[&Row]) -> Table {
    let mut table = plain(std::iter::once("").chain(contenders.iter().copied()));
    for row in rows {
        let figure = |figure: &Figure| format!("{} {:.2}×", short(figure.median), figure.ratio);
        table.add_row(std::iter::once(row.what.clone()).chain(row.figures.iter().map(figure)));
    }
    align(&mut table);
    table
}

//! Figures as a table that fits 80 columns.

use comfy_table::{CellAlignment, Table, presets};

use super::backends::Comparison;
use super::statistics::short;

/// The rows of one comparison that have so many tasks.
pub(super) fn table_of(title: &str, comparison: &Comparison, tasks: usize) -> String {
    let reference = comparison.reference;
    let heading = if tasks == 1 {
        format!("{title}, 1 task: median latency in µs, × that of {reference} (less is better)")
    } else {
        format!("{title}, {tasks} tasks: operations/s, × those of {reference} (more is better)")
    };
    let mut table =
        plain(std::iter::once("").chain(comparison.contenders.iter().copied()).map(str::to_owned));
    for row in comparison.rows.iter().filter(|row| row.tasks == tasks) {
        let figures = row
            .figures
            .iter()
            .map(|figure| format!("{} {:.2}×", short(figure.median), figure.ratio));
        table.add_row(std::iter::once(row.operation.to_owned()).chain(figures));
    }
    align(&mut table);
    format!("{heading}\n{table}\n")
}

/// A table without lines.
pub(super) fn plain(header: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.into_iter().collect::<Vec<_>>());
    table
}

/// All columns but the first stand at the right.
pub(super) fn align(table: &mut Table) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

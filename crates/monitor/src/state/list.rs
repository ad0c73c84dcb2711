//! What a user has chosen of a table: the row, the marks, the order, the filter.

use std::collections::BTreeSet;

use crate::table::{Row, Table};

/// The choices of one screen. They are of rows by their ids, so that they stay when the figures change.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    selected: Option<String>,
    /// The column that it is sorted by, and whether the highest comes first.
    pub(crate) order: Option<(usize, bool)>,
    pub(crate) filter: String,
    marks: BTreeSet<String>,
}

impl List {
    /// The rows that the filter lets through, in their order.
    pub(crate) fn shown<'a>(&self, table: &'a Table) -> Vec<&'a Row> {
        let wanted = self.filter.to_lowercase();
        let fits = |row: &&Row| {
            wanted.is_empty()
                || row.cells.iter().any(|cell| cell.words().to_lowercase().contains(&wanted))
        };
        let mut rows: Vec<&Row> = table.rows.iter().filter(fits).collect();
        if let Some((column, is_descending)) = self.order {
            rows.sort_by(|one, other| {
                let pair = one.cells.get(column).zip(other.cells.get(column));
                let order = pair.map_or(std::cmp::Ordering::Equal, |(one, other)| one.order(other));
                if is_descending { order.reverse() } else { order }
            });
        }
        rows
    }

    /// The place of the chosen row among those shown: the first, where none was chosen or it has gone.
    pub(crate) fn place(&self, shown: &[&Row]) -> usize {
        let is_it = |row: &&Row| Some(&row.id) == self.selected.as_ref();
        shown.iter().position(is_it).unwrap_or(0)
    }

    /// The id of the chosen row.
    pub(crate) fn chosen(&self, table: &Table) -> Option<String> {
        let shown = self.shown(table);
        shown.get(self.place(&shown)).map(|row| row.id.clone())
    }

    /// Chooses the row so many places further down, or up.
    pub(crate) fn go(&mut self, table: &Table, by: isize) {
        let shown = self.shown(table);
        let last = shown.len().saturating_sub(1);
        let place = self.place(&shown).saturating_add_signed(by).min(last);
        self.selected = shown.get(place).map(|row| row.id.clone());
    }

    /// Sorts by the next column, and at last by none. Figures begin with the highest.
    pub(crate) fn sort(&mut self, table: &Table) {
        let next = self.order.map_or(0, |(column, _)| column + 1);
        let column = table.columns.get(next);
        self.order = column.map(|column| (next, column.is_right));
    }

    pub(crate) fn reverse(&mut self) {
        if let Some((_, is_descending)) = &mut self.order {
            *is_descending = !*is_descending;
        }
    }

    /// Marks the chosen row, or takes the mark away.
    pub(crate) fn mark(&mut self, table: &Table) {
        let Some(id) = self.chosen(table) else { return };
        if !self.marks.remove(&id) {
            self.marks.insert(id);
        }
    }

    /// Marks every row that is shown, or takes all marks away if they are marked.
    pub(crate) fn mark_all(&mut self, table: &Table) {
        let shown: BTreeSet<String> =
            self.shown(table).into_iter().map(|row| row.id.clone()).collect();
        if shown.is_subset(&self.marks) {
            self.marks.clear();
        } else {
            self.marks.extend(shown);
        }
    }

    pub(crate) fn is_marked(&self, id: &str) -> bool {
        self.marks.contains(id)
    }

    pub(crate) fn unmark_all(&mut self) {
        self.marks.clear();
    }

    /// The marked rows that are shown, or else the chosen one.
    pub(crate) fn meant(&self, table: &Table) -> Vec<String> {
        let shown = self.shown(table);
        let marked = shown.iter().filter(|row| self.is_marked(&row.id));
        let marked: Vec<String> = marked.map(|row| row.id.clone()).collect();
        if marked.is_empty() { self.chosen(table).into_iter().collect() } else { marked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Cell, Column};

    const COLUMNS: [Column; 2] = [Column::text("name", 0, 4, 9), Column::figure("keys", 1, 6)];

    fn table(rows: &[(&str, u64)]) -> Table {
        let row = |(name, keys): &(&str, u64)| {
            Row::new(*name, vec![Cell::text(*name), Cell::count(*keys)])
        };
        Table::new(&COLUMNS, rows.iter().map(row).collect(), "")
    }

    fn ids(list: &List, table: &Table) -> Vec<String> {
        list.shown(table).iter().map(|row| row.id.clone()).collect()
    }

    #[test]
    fn a_choice_stays_with_its_row_while_the_figures_change() {
        let mut list = List::default();
        let before = table(&[("a", 1), ("b", 2), ("c", 3)]);
        list.go(&before, 1);
        assert_eq!(list.chosen(&before).as_deref(), Some("b"));
        let after = table(&[("b", 2), ("a", 1), ("c", 3)]);
        assert_eq!(list.chosen(&after).as_deref(), Some("b"));
        let gone = table(&[("a", 1), ("c", 3)]);
        assert_eq!(list.chosen(&gone).as_deref(), Some("a"));
        list.go(&after, 99);
        assert_eq!(list.chosen(&after).as_deref(), Some("c"));
        list.go(&after, -99);
        assert_eq!(list.chosen(&after).as_deref(), Some("b"));
        assert_eq!(list.chosen(&table(&[])), None);
    }

    #[test]
    fn each_column_sorts_and_the_last_is_followed_by_none() {
        let mut list = List::default();
        let rows = table(&[("b", 30), ("c", 4), ("a", 200)]);
        list.sort(&rows);
        assert_eq!(ids(&list, &rows), ["a", "b", "c"]);
        list.sort(&rows);
        assert_eq!(ids(&list, &rows), ["a", "b", "c"], "the most keys first");
        list.reverse();
        assert_eq!(ids(&list, &rows), ["c", "b", "a"]);
        list.sort(&rows);
        assert_eq!(ids(&list, &rows), ["b", "c", "a"]);
    }

    #[test]
    fn marks_count_only_where_they_are_shown() {
        let mut list = List::default();
        let rows = table(&[("doc:a", 1), ("doc:b", 2), ("page", 3)]);
        assert_eq!(list.meant(&rows), ["doc:a"], "the chosen row");
        list.go(&rows, 2);
        list.mark(&rows);
        list.filter = "DOC".to_owned();
        assert_eq!(list.meant(&rows), ["doc:a"], "the mark is not shown");
        list.mark_all(&rows);
        assert_eq!(list.meant(&rows), ["doc:a", "doc:b"]);
        list.mark_all(&rows);
        assert!(!list.is_marked("doc:a") && !list.is_marked("page"));
    }
}

//! Counts of gold, found and correct items, and their printing.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// The counts of one kind in one source.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    /// The source of the gold.
    source: String,
    /// The kind of item.
    kind: String,
    /// Items in the gold.
    gold: usize,
    /// Items found; `None` if the gold is incomplete, so that only recall is meaningful.
    found: Option<usize>,
    /// Gold items that were found.
    correct: usize,
}

impl Tally {
    fn recall(&self) -> Option<f64> {
        (self.gold > 0).then(|| self.correct as f64 / self.gold as f64)
    }

    fn precision(&self) -> Option<f64> {
        self.found.filter(|found| *found > 0).map(|found| self.correct as f64 / found as f64)
    }

    fn f1(&self) -> Option<f64> {
        let (precision, recall) = (self.precision()?, self.recall()?);
        (precision + recall > 0.0).then(|| 2.0 * precision * recall / (precision + recall))
    }
}

/// Every tally of a run.
#[derive(Debug)]
pub(super) struct Report {
    rows: Vec<Tally>,
    verbose: bool,
}

impl Report {
    pub(super) fn new(verbose: bool) -> Self {
        Self { rows: Vec::new(), verbose }
    }

    fn row(&mut self, source: &str, kind: &str) -> &mut Tally {
        let at = self.rows.iter().position(|row| row.source == source && row.kind == kind);
        let at = at.unwrap_or_else(|| {
            self.rows.push(Tally {
                source: source.to_owned(),
                kind: kind.to_owned(),
                ..Tally::default()
            });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    /// Adds counts for complete gold.
    pub(super) fn add(
        &mut self,
        source: &str,
        kind: &str,
        gold: usize,
        found: usize,
        correct: usize,
    ) {
        let row = self.row(source, kind);
        row.gold += gold;
        row.found = Some(row.found.unwrap_or(0) + found);
        row.correct += correct;
    }

    /// Adds counts for incomplete gold.
    pub(super) fn add_recall(&mut self, source: &str, kind: &str, gold: usize, correct: usize) {
        let row = self.row(source, kind);
        row.gold += gold;
        row.correct += correct;
    }

    /// Prints a missed item or a false positive, with `--verbose`.
    pub(super) fn note(&self, source: &str, kind: &str, what: &str, text: &str) {
        if self.verbose {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            #[expect(clippy::print_stderr, reason = "detail for whoever works on the rules")]
            {
                eprintln!("{source}\t{kind}\t{what}\t{text}");
            }
        }
    }

    /// The report as a table of at most 80 columns.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["source", "kind", "gold", "found", "right", "prec", "rec", "F1"]);
        let percent =
            |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{:.1}", v * 100.0));
        let mut last = "";
        for row in &self.rows {
            table.add_row([
                if row.source == last { String::new() } else { row.source.clone() },
                row.kind.clone(),
                row.gold.to_string(),
                row.found.map_or("-".to_owned(), |found| found.to_string()),
                row.correct.to_string(),
                percent(row.precision()),
                percent(row.recall()),
                percent(row.f1()),
            ]);
            last = &row.source;
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 1));
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{table}\n\n* machine made; - the gold does not list all there is")
    }

    /// The report as JSON, one object per row with figures between 0 and 1.
    pub(super) fn json(&self) -> std::io::Result<String> {
        #[derive(Serialize)]
        struct Row<'a> {
            #[serde(flatten)]
            tally: &'a Tally,
            precision: Option<f64>,
            recall: Option<f64>,
            f1: Option<f64>,
        }
        let rows: Vec<Row<'_>> = self
            .rows
            .iter()
            .map(|tally| Row {
                tally,
                precision: tally.precision(),
                recall: tally.recall(),
                f1: tally.f1(),
            })
            .collect();
        serde_json::to_string_pretty(&rows).map_err(std::io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_percentages_and_recall_only_rows_say_so() {
        let mut report = Report::new(false);
        report.add("unitedstates/citation", "RESPONDENT overlap", 4, 5, 3);
        report.add_recall("doc: Juriscraper", "party role", 2, 1);
        let table = report.table();
        assert!(
            table.contains("60.0") && table.contains("75.0") && table.contains("66.7"),
            "{table}"
        );
        assert!(table.lines().all(|line| line.chars().count() <= 80));
        assert!(report.json().unwrap().contains("\"f1\": null"));
    }
}

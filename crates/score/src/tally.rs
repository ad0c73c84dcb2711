//! Counts of gold, found and correct items, and their printing.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// The counts of one kind in one source.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Tally {
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
    /// Whether both are of one kind in one source.
    fn is_of(&self, other: &Self) -> bool {
        self.source == other.source && self.kind == other.kind
    }

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
pub(crate) struct Report {
    rows: Vec<Tally>,
    verbose: bool,
}

impl Report {
    pub(crate) fn new(verbose: bool) -> Self {
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
    pub(crate) fn add(
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
    pub(crate) fn add_recall(&mut self, source: &str, kind: &str, gold: usize, correct: usize) {
        let row = self.row(source, kind);
        row.gold += gold;
        row.correct += correct;
    }

    /// Prints a missed item or a false positive, with `--verbose`.
    pub(crate) fn note(&self, source: &str, kind: &str, what: &str, text: &str) {
        if self.verbose {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            eprintln!("{source}\t{kind}\t{what}\t{text}");
        }
    }

    /// The report as a table of at most 80 columns.
    pub(crate) fn table(&self) -> String {
        let mut table =
            plain_table(&["source", "kind", "gold", "found", "right", "prec", "rec", "F1"]);
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
        printed(table)
    }

    /// The report as JSON, one object per row with figures between 0 and 1.
    pub(crate) fn json(&self) -> std::io::Result<String> {
        serde_json::to_string_pretty(&self.figures()).map_err(std::io::Error::other)
    }

    fn figures(&self) -> Vec<Figures<'_>> {
        self.rows
            .iter()
            .map(|tally| Figures {
                tally,
                precision: tally.precision(),
                recall: tally.recall(),
                f1: tally.f1(),
            })
            .collect()
    }
}

/// A row with its figures.
#[derive(Serialize)]
struct Figures<'a> {
    #[serde(flatten)]
    tally: &'a Tally,
    precision: Option<f64>,
    recall: Option<f64>,
    f1: Option<f64>,
}

/// Two reports of one corpus side by side: of the half that may be seen, and of the half that is held out.
pub(crate) fn table_of_halves(seen: &Report, held: &Report) -> String {
    let mut table = plain_table(&["source", "kind", "seen", "prec", "rec", "held", "prec", "rec"]);
    let mut last = "";
    for row in rows_of_either(seen, held) {
        let cells = |report: &Report| {
            let row = report.rows.iter().find(|other| other.is_of(row));
            [
                row.map_or("-".to_owned(), |row| row.gold.to_string()),
                percent(row.and_then(Tally::precision)),
                percent(row.and_then(Tally::recall)),
            ]
        };
        let source = if row.source == last { String::new() } else { row.source.clone() };
        table.add_row([source, row.kind.clone()].into_iter().chain(cells(seen)).chain(cells(held)));
        last = &row.source;
    }
    printed(table)
}

/// Two reports of one corpus as JSON: `seen` and `held`, each a list of rows.
pub(crate) fn json_of_halves(seen: &Report, held: &Report) -> std::io::Result<String> {
    #[derive(Serialize)]
    struct Halves<'a> {
        seen: Vec<Figures<'a>>,
        held: Vec<Figures<'a>>,
    }
    let halves = Halves { seen: seen.figures(), held: held.figures() };
    serde_json::to_string_pretty(&halves).map_err(std::io::Error::other)
}

/// The rows of the first report, and those that only the second has.
fn rows_of_either<'r>(first: &'r Report, second: &'r Report) -> Vec<&'r Tally> {
    let only_second =
        second.rows.iter().filter(|row| !first.rows.iter().any(|other| other.is_of(row)));
    first.rows.iter().chain(only_second).collect()
}

fn plain_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table
}

/// The table, with the first two columns to the left, and a note that explains its marks.
fn printed(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n\n* machine made; - the gold does not list all there is")
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:.1}", value * 100.0))
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

    #[test]
    fn halves_stand_side_by_side_and_a_row_of_one_half_is_kept() {
        let (mut seen, mut held) = (Report::new(false), Report::new(false));
        seen.add("unitedstates/citation", "RESPONDENT overlap", 1234, 1234, 1234);
        held.add("unitedstates/citation", "RESPONDENT overlap", 4, 5, 3);
        held.add_recall("doc: CAP casebody", "judge", 2, 1);
        let table = table_of_halves(&seen, &held);
        assert!(
            table.lines().any(|line| line.contains("100.0") && line.contains("75.0")),
            "{table}"
        );
        assert!(table.contains("judge"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(json_of_halves(&seen, &held).unwrap().contains("\"held\""));
    }
}

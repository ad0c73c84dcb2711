//! What `compartment ingest` prints about extractors beside the rules: how they agreed, and what they cost.

use compartment_documents::IngestReport;
use compartment_documents::extractors::{Agreement, Spent};

use crate::screen;

pub(super) fn print(report: &IngestReport) {
    let Some(extractors) = &report.extractors else { return };
    let Agreement { both, rules_only, beside_only, conflicts, of_citations, .. } =
        &extractors.agreement;
    let Agreement { dropped, unfounded, refused, .. } = &extractors.agreement;
    let mut table = screen::table(&["mentions", ""], &[1]);
    for (what, count) in [
        ("rules and model agree", both),
        ("the rules alone", rules_only),
        ("the model alone", beside_only),
        ("the kind is disputed: that of the rules", conflicts),
        ("left out: parts of a citation", of_citations),
        ("dropped for too little confidence", dropped),
    ] {
        table.add_row([what.to_owned(), screen::count(*count)]);
    }
    screen::say_lines(format!("\n{table}"));
    if *unfounded > 0 {
        let quotes = screen::counted(*unfounded, "quote");
        screen::say(format!(
            "{quotes} of the model left out: not in the paper, or not of their kind"
        ));
    }
    if *refused > 0 {
        let answers = screen::counted(*refused, "answer");
        screen::say(format!(
            "{answers} of the model could not be used: there the rules stand alone"
        ));
    }
    let header = ["asked", "requests", "tokens in", "tokens out", "US dollars"];
    let mut table = screen::table(&header, &[1, 2, 3, 4]);
    for (name, spent) in &extractors.spent {
        table.add_row(row(&format!("{name}, this run"), spent));
    }
    for (name, spent) in &extractors.agreement.spent {
        table.add_row(row(&format!("{name}, for these results"), spent));
    }
    screen::say_lines(format!("\n{table}"));
    let unmetered: u64 = extractors.spent.values().map(|spent| spent.unmetered).sum();
    if unmetered > 0 {
        let requests = screen::counted(unmetered, "request");
        screen::say(format!("{requests} without a count of tokens: they may have cost more"));
    }
}

fn row(what: &str, spent: &Spent) -> [String; 5] {
    let dollars = spent.micro_usd as f64 / 1e6;
    [
        what.to_owned(),
        screen::count(spent.requests),
        screen::count(spent.tokens_in),
        screen::count(spent.tokens_out),
        format!("{dollars:.6}"),
    ]
}

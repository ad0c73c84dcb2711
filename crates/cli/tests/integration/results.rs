//! Names are found in the results of documents, and shown with what they are related to.

#![expect(clippy::expect_used, reason = "a failure here is a failed test")]

use std::path::Path;

use crate::program::{Run, run};

const PAPER: &str = "UNITED STATES DISTRICT COURT\nNORTHERN DISTRICT OF CALIFORNIA\n\n\
    QUILLON FREIGHT, INC.,\n\n          Plaintiff,\n\n     v.\n\n\
    BASTIAN COLD STORAGE, LLC,\n\n          Defendant.\n\nCase No. 4:24-cv-00731-JST\n\n\
    \x0cThe court relies on Celotex Corp. v. Catrett, 477 U.S. 317 (1986). \
    Quillon Freight, Inc. \u{1b}[31mpaid \"all\" & more <than> that.\n";

fn ingested(folder: &Path) {
    std::fs::create_dir_all(folder.join("papers")).expect("a folder can be made");
    std::fs::write(folder.join("papers/order.txt"), PAPER).expect("a file can be written");
    let done = run(folder, &["ingest", "papers", "--out", "results"]);
    assert_eq!(done.code, 0, "{}", done.err);
}

fn graph(folder: &Path, format: &str) -> Run {
    run(folder, &["graph", "quillon freight", "--kind", "party", "--format", format])
}

#[test]
fn a_name_is_found_with_its_page_and_the_words_around_it() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    ingested(folder.path());
    let found = run(folder.path(), &["find", "catrett CELOTEX"]);
    assert_eq!(found.code, 0, "{}", found.err);
    assert!(found.out.starts_with("order.txt\n  p. 2   citation"), "{}", found.out);
    assert!(found.out.contains("The court relies on"), "{}", found.out);

    let found = run(folder.path(), &["find", "freight", "--kind", "party", "--json"]);
    let first: serde_json::Value =
        serde_json::from_str(found.out.lines().next().unwrap_or_default()).expect("a line is JSON");
    assert_eq!((&first["kind"], &first["page"]), (&"party".into(), &1.into()), "{first}");
    assert!(!found.out.contains('\u{1b}'), "{}", found.out);

    let limited = run(folder.path(), &["find", "c*", "--limit", "1"]);
    assert!(limited.err.contains("--limit shows more"), "{}", limited.err);
    let nobody = run(folder.path(), &["find", "nobody"]);
    assert_eq!((nobody.code, nobody.out.as_str()), (10, ""));
    let nowhere = run(folder.path(), &["find", "x", "--results", "papers"]);
    assert_eq!(nowhere.code, 9, "{}", nowhere.err);
    assert!(nowhere.err.contains("ingest PATH --out DIR"), "{}", nowhere.err);
}

#[test]
fn an_entity_is_shown_with_what_it_is_related_to_in_every_format() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    ingested(folder.path());
    let text = graph(folder.path(), "text");
    assert_eq!(text.code, 0, "{}", text.err);
    assert!(text.out.contains("is a party to"), "{}", text.out);
    assert!(text.out.contains("as plaintiff  [order.txt p. 1]"), "{}", text.out);

    for line in graph(folder.path(), "jsonl").out.lines() {
        let _: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
    }
    let dot = graph(folder.path(), "dot").out;
    assert!(dot.starts_with("digraph") && dot.contains("[label=\"plaintiff\"]"), "{dot}");
    let graphml = graph(folder.path(), "graphml").out;
    assert!(graphml.contains("<data key=\"relationship\">party_case</data>"), "{graphml}");

    let deeper =
        run(folder.path(), &["graph", "quillon freight", "--kind", "party", "--depth", "2"]);
    assert!(deeper.out.contains("BASTIAN") || deeper.out.contains("Bastian"), "{}", deeper.out);

    let several = run(folder.path(), &["graph", "freight"]);
    assert_eq!(several.code, 2, "{}", several.out);
    assert!(several.err.contains("party-") && several.err.contains("case-"), "{}", several.err);
}

#[test]
fn every_form_of_a_name_is_explained() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    ingested(folder.path());
    let done = run(folder.path(), &["explain", "quillon freight", "--kind", "party"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("QUILLON FREIGHT, INC."), "{}", done.out);
    assert!(done.out.contains("the same name, but for capitals"), "{}", done.out);
    let json = run(folder.path(), &["explain", "quillon freight", "--kind", "party", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("it prints JSON");
    assert_eq!(json["forms"][0]["reason"], "same_name", "{json}");
}

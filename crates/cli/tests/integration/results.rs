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

const LETTER: &str = "UNITED STATES DISTRICT COURT\nNORTHERN DISTRICT OF CALIFORNIA\n\n\
    QUILLON FREIGHT, INC.,\n\n          Plaintiff,\n\n     v.\n\n\
    BASTIAN COLD STORAGE LLC,\n\n          Defendant.\n\nCase No. 4:24-cv-00999-JST\n\n\
    Quillon Freight, Inc. (the “Company”) filed suit on May 12, 2021. The Company won a judgment of $1,200,000. \
    See Morrow v. Teller, 31 F.3d 40 (1st Cir. 1994), aff'd, 515 U.S. 90 (1995).\n";

/// The ids of the parties of this name.
fn parties(folder: &Path, name: &str) -> std::collections::BTreeSet<String> {
    let found = run(folder, &["find", name, "--kind", "party", "--json"]);
    let ids = found.out.lines().filter_map(|line| {
        let hit: serde_json::Value = serde_json::from_str(line).expect("it prints JSON lines");
        hit["entity"].as_str().map(str::to_owned)
    });
    ids.collect()
}

#[test]
fn a_merge_is_decided_followed_by_the_next_run_and_undone() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    std::fs::create_dir_all(folder.join("papers")).expect("a folder can be made");
    std::fs::write(folder.join("papers/letter.txt"), LETTER).expect("a file can be written");
    ingested(folder);
    let before = parties(folder, "quillon");
    assert_eq!(before.len(), 1, "{before:?}");
    let keep = ["resolve", "keep-apart", "Quillon Freight, Inc.", "--in", "letter.txt"];
    let dry = run(folder, &[&keep[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 0, "{}", dry.err);
    assert!(
        dry.out.contains("- Quillon Freight") && dry.out.contains("+ Quillon Freight"),
        "{}",
        dry.out
    );
    assert_eq!(parties(folder, "quillon"), before);
    let done = run(folder, &keep);
    assert_eq!((done.code, &done.out), (0, &dry.out), "{}", done.err);
    let apart = parties(folder, "quillon");
    assert_eq!(apart.len(), 2, "{apart:?}");
    assert!(apart.is_superset(&before), "{apart:?}");
    // The next run follows the decision.
    ingested(folder);
    assert_eq!(parties(folder, "quillon"), apart);
    let own = apart.difference(&before).next().expect("there is a new one");
    let explained = run(folder, &["explain", own]);
    assert!(
        explained.out.contains("1  alone  QUILLON FREIGHT, INC. | letter.txt"),
        "{}",
        explained.out
    );
    let join = ["resolve", "join", "Quillon Freight, Inc.", "Bastian Cold Storage, LLC"];
    let unclear = run(folder, &join);
    assert_eq!(unclear.code, 2, "{}", unclear.out);
    let listed = run(folder, &["resolve", "list"]);
    assert_eq!(listed.out.lines().count(), 1, "{}", listed.out);
    assert_eq!(run(folder, &["resolve", "undo"]).code, 0);
    assert_eq!(parties(folder, "quillon"), before);
    assert_eq!(run(folder, &["resolve", "undo"]).code, 10);
    assert_eq!(run(folder, &join).code, 0);
    assert_eq!(parties(folder, "bastian"), parties(folder, "quillon"));
}

#[test]
fn terms_events_and_treatments_are_shown_in_their_place() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    std::fs::create_dir_all(folder.join("papers")).expect("a folder can be made");
    std::fs::write(folder.join("papers/letter.txt"), LETTER).expect("a file can be written");
    ingested(folder);
    let explained = run(folder, &["explain", "quillon freight", "--kind", "party"]);
    assert!(explained.out.contains("a term that the document defines for it"), "{}", explained.out);
    let found = run(folder, &["find", "filed 2021"]);
    assert!(found.out.contains("date, filed: 12 May 2021"), "{}", found.out);
    let graph = run(folder, &["graph", "quillon freight", "--kind", "party"]);
    assert!(graph.out.contains("filed: 12 May 2021  [letter.txt p. 1]"), "{}", graph.out);
    let graph = run(folder, &["graph", "4:24-cv-00999", "--kind", "case"]);
    assert!(graph.out.contains("judgment: USD 1,200,000  [letter.txt p. 1]"), "{}", graph.out);
    assert!(graph.out.contains("Morrow v. Teller, 31 F.3d 40 (see)"), "{}", graph.out);
    let graph = run(folder, &["graph", "morrow"]);
    assert!(graph.out.contains("515 U.S. 90 (affirmed)"), "{}", graph.out);
}

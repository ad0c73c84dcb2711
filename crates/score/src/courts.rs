//! Scores court names against the table of courts: which court a string names, and whether two courts share a key.

use std::collections::{HashMap, HashSet};

use compartment_documents::entities::{court_key, known_courts};

use crate::corpus::{Corpus, text};
use crate::tally::Report;

/// Scores `gold/court-names.jsonl`. The catalogue is the table of courts: each court under its full name.
pub(crate) fn court_names(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    let gold = corpus.gold("court-names")?;
    if gold.is_empty() {
        return Ok(());
    }
    let mut catalogue: HashMap<String, HashSet<&str>> = HashMap::new();
    for (id, name) in known_courts() {
        if let Some(key) = court_key(name) {
            catalogue.entry(key).or_default().insert(id);
        }
    }
    let (mut found, mut correct) = (0, 0);
    for line in &gold {
        let (string, id) = (text(line, "text"), text(line, "court_id"));
        let Some(key) = court_key(string) else {
            report.note("courts-db", "court", "no key", &format!("{string} ({id})"));
            continue;
        };
        found += 1;
        // A key that two courts share resolves to neither.
        let own = HashSet::from([id]);
        if catalogue.get(&key) == Some(&own) {
            correct += 1;
        } else {
            let courts = catalogue.get(&key);
            report.note(
                "courts-db",
                "court",
                "wrong",
                &format!("{string} ({id}) → {key} ({courts:?})"),
            );
        }
    }
    report.add("courts-db", "court", gold.len(), found, correct);
    // Every court that has a key, and those whose key is theirs alone.
    let keyed: usize = catalogue.values().map(HashSet::len).sum();
    let alone = catalogue.values().filter(|courts| courts.len() == 1).count();
    for (key, courts) in catalogue.iter().filter(|(_, courts)| courts.len() > 1) {
        report.note("courts-db", "never merged", "merged", &format!("{key} {courts:?}"));
    }
    report.add("courts-db", "never merged", keyed, keyed, alone);
    Ok(())
}

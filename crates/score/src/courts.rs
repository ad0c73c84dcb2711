//! Scores court names: a string is resolved if its key equals that of its court's name and of no other court.

use std::collections::{HashMap, HashSet};

use compartment_documents::entities::court_key;

use crate::corpus::{Corpus, text};
use crate::tally::Report;

/// Scores `gold/court-names.jsonl`. The catalogue is the set of court names in the gold itself.
pub(crate) fn court_names(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    let gold = corpus.gold("court-names")?;
    let mut catalogue: HashMap<String, HashSet<&str>> = HashMap::new();
    for line in &gold {
        if let Some(key) = court_key(text(line, "court_name")) {
            catalogue.entry(key).or_default().insert(text(line, "court_id"));
        }
    }
    let (mut found, mut correct) = (0, 0);
    for line in &gold {
        let Some(key) = court_key(text(line, "text")) else {
            report.note("courts-db", "court", "no key", text(line, "text"));
            continue;
        };
        let Some(courts) = catalogue.get(&key) else {
            report.note(
                "courts-db",
                "court",
                "unknown",
                &format!(
                    "{} → {key}; name {} → {:?}",
                    text(line, "text"),
                    text(line, "court_name"),
                    court_key(text(line, "court_name"))
                ),
            );
            continue;
        };
        found += 1;
        // A key that two courts share resolves to neither.
        if courts.len() == 1 && courts.contains(text(line, "court_id")) {
            correct += 1;
        } else {
            report.note(
                "courts-db",
                "court",
                "wrong",
                &format!("{} → {key} ({:?})", text(line, "text"), courts),
            );
        }
    }
    report.add("courts-db", "court", gold.len(), found, correct);
    Ok(())
}

//! Scores back references: whether citations of one source are grouped within a text.

use compartment_documents::entities::mentions;
use compartment_documents::model::{CitationForm, EntityKind};
use compartment_documents::resolve;
use serde_json::Value;

use crate::corpus::{Corpus, list, text};
use crate::tally::Report;

/// Scores `gold/eyecite-resolve.jsonl`: an item counts if our sources group it with the gold's other
/// items.
pub(crate) fn eyecite_resolve(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    for line in corpus.gold("eyecite-resolve")? {
        let sequence = list(&line, "sequence");
        if sequence.is_empty() {
            let content = text(&line, "text");
            let groups = groups_of(content);
            let gold: Vec<Vec<usize>> = list(&line, "expected_indices")
                .iter()
                .map(|group| {
                    group
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_u64)
                        .map(|n| n as usize)
                        .collect()
                })
                .collect();
            let resource =
                |at: usize| gold.iter().position(|group| group.contains(&at)).map(|n| n as u64);
            let total: usize = gold.iter().map(Vec::len).sum();
            let items: Vec<(Option<u64>, Option<String>)> =
                (0..total).map(|at| (resource(at), groups.get(at).cloned().flatten())).collect();
            count(report, &items, content);
            continue;
        }
        let mut whole = String::new();
        let mut ends = Vec::new();
        for item in sequence {
            whole.push_str(text(item, "text"));
            whole.push(' ');
            ends.push(whole.len());
        }
        let document = resolve("gold", mentions(&whole));
        let mut items = Vec::new();
        let mut start = 0;
        for (item, end) in sequence.iter().zip(ends) {
            let ours = document
                .mentions
                .iter()
                .enumerate()
                .filter(|(_, m)| {
                    m.kind == EntityKind::Citation && m.start >= start && m.start < end
                })
                .find_map(|(at, _)| document.links[at])
                .map(|at| document.keys[at].clone());
            items.push((item["resource"].as_u64(), ours));
            start = end;
        }
        count(report, &items, &whole);
    }
    Ok(())
}

/// The key of the source of each citation in the text, in order, without bare sections, which the gold does
/// not count.
fn groups_of(content: &str) -> Vec<Option<String>> {
    let document = resolve("gold", mentions(content));
    document
        .mentions
        .iter()
        .enumerate()
        .filter(|(_, m)| m.kind == EntityKind::Citation)
        .filter(|(_, m)| {
            m.citation().is_some_and(|parts| {
                parts.form != CitationForm::Statute || parts.reporter.is_some()
            })
        })
        .map(|(at, _)| document.links[at].map(|at| document.keys[at].clone()))
        .collect()
}

fn count(report: &mut Report, items: &[(Option<u64>, Option<String>)], content: &str) {
    // Each resource of the gold is identified by our source of its first item.
    let mut right = 0;
    for (at, (gold, ours)) in items.iter().enumerate() {
        let first = items.iter().position(|(other, _)| other == gold && gold.is_some());
        let same = match (gold, ours) {
            (None, None) => true,
            (Some(_), Some(ours)) => {
                let owner = first.and_then(|first| items[first].1.as_ref());
                let clash =
                    items.iter().any(|(other, key)| other != gold && key.as_ref() == Some(ours));
                owner == Some(ours) && !clash
            }
            _ => false,
        };
        right += usize::from(same);
        if !same {
            report.note(
                "eyecite tests",
                "resolution",
                "wrong",
                &format!("item {at}: gold {gold:?}, ours {ours:?} IN {content}"),
            );
        }
    }
    report.add_recall("eyecite tests", "resolution", items.len(), right);
}

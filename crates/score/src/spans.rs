//! Span gold of Indian judgments: maps labels to our kinds, and scores exact and overlapping spans.

use compartment_documents::entities::mentions;
use compartment_documents::model::{CitationForm, EntityKind, Mention};

use crate::corpus::{CodePoints, Corpus, context, list, offset, text};
use crate::tally::Report;

/// Bytes around a span that a note shows.
const CONTEXT: usize = 60;

/// Labels that map to one of our kinds. GPE, ORG, WITNESS and OTHER_PERSON have no counterpart and are skipped.
const LABELS: [&str; 9] = [
    "PETITIONER",
    "RESPONDENT",
    "COURT",
    "JUDGE",
    "LAWYER",
    "DATE",
    "CASE_NUMBER",
    "PRECEDENT",
    "STATUTE+PROVISION",
];

/// Scores `gold/inlegalner.jsonl`.
pub(crate) fn inlegalner(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    for line in corpus.gold("inlegalner")? {
        let content = text(&line, "text");
        let points = CodePoints::of(content);
        let found = mentions(content);
        for label in LABELS {
            let gold: Vec<(usize, usize)> = list(&line, "entities")
                .iter()
                .filter(|entity| label.split('+').any(|one| text(entity, "label") == one))
                .map(|entity| {
                    (points.byte(offset(entity, "start")), points.byte(offset(entity, "end")))
                })
                .collect();
            // A long text without annotations was not annotated at all: preambles come in pairs.
            if list(&line, "entities").is_empty() && content.len() > 300 {
                continue;
            }
            let ours = spans_for(label, &found);
            score_label(report, content, label, &gold, &ours);
        }
    }
    Ok(())
}

/// Our spans for a label.
fn spans_for(label: &str, found: &[Mention]) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = found
        .iter()
        .filter(|mention| answers(label, mention))
        .map(|mention| match mention.citation() {
            // A precedent is the whole reference, including the name.
            Some(parts) if label == "PRECEDENT" => (parts.full_start, parts.full_end),
            _ => (mention.start, mention.end),
        })
        .collect();
    spans.sort_unstable();
    spans.dedup();
    // Parallel citations of one case are one precedent.
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.0 < last.1 => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    merged
}

fn answers(label: &str, mention: &Mention) -> bool {
    let role = mention.attributes.role.as_deref().unwrap_or_default();
    let first = [
        "plaintiff",
        "petitioner",
        "appellant",
        "applicant",
        "claimant",
        "complainant",
        "revisionist",
        "movant",
    ];
    let is_first = first.iter().any(|word| role.contains(word));
    match (label, mention.kind) {
        ("PETITIONER", EntityKind::Party) => is_first,
        ("RESPONDENT", EntityKind::Party) => !is_first,
        ("COURT", EntityKind::Court)
        | ("JUDGE", EntityKind::Judge)
        | ("LAWYER", EntityKind::Lawyer)
        | ("DATE", EntityKind::Date)
        | ("CASE_NUMBER", EntityKind::DocketNumber)
        | ("PRECEDENT", EntityKind::Case) => true,
        ("PRECEDENT", EntityKind::Citation) => {
            mention.citation().is_some_and(|parts| parts.form == CitationForm::FullCase)
        }
        ("STATUTE+PROVISION", EntityKind::Citation) => mention.citation().is_some_and(|parts| {
            matches!(
                parts.form,
                CitationForm::Statute | CitationForm::Regulation | CitationForm::Constitution
            )
        }),
        _ => false,
    }
}

fn score_label(
    report: &mut Report,
    content: &str,
    label: &str,
    gold: &[(usize, usize)],
    ours: &[(usize, usize)],
) {
    let source = "InLegalNER";
    let label = label.split('+').next().unwrap_or(label);
    let exact = gold.iter().filter(|span| ours.contains(span)).count();
    // Each of our spans matches at most one of the gold, so that one wide span does not count many
    // times.
    let mut used = vec![false; ours.len()];
    let mut overlapping = 0;
    for span in gold {
        let hit = ours
            .iter()
            .enumerate()
            .position(|(at, our)| !used[at] && our.0 < span.1 && span.0 < our.1);
        match hit {
            Some(at) => {
                used[at] = true;
                overlapping += 1;
                if !ours.contains(span) {
                    let line = format!(
                        "gold «{}» ours «{}»",
                        &content[span.0..span.1],
                        &content[ours[at].0..ours[at].1]
                    );
                    report.note(source, label, "differs", &line);
                }
            }
            None => report.note(
                source,
                label,
                "missed",
                &format!("{} IN {}", &content[span.0..span.1], context(content, *span, CONTEXT)),
            ),
        }
    }
    for (at, our) in ours.iter().enumerate() {
        if !used[at] {
            report.note(
                source,
                label,
                "in vain",
                &format!("{} IN {}", &content[our.0..our.1], context(content, *our, CONTEXT)),
            );
        }
    }
    report.add(source, &format!("{label} exact"), gold.len(), ours.len(), exact);
    report.add(source, &format!("{label} overlap"), gold.len(), ours.len(), overlapping);
}

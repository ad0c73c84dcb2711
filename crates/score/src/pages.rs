//! Extraction of scanned and born-digital pages against reference texts, as bags of words.

use std::collections::HashMap;

use crate::corpus::Corpus;
use crate::tally::Report;

/// Documents with a reference text: name of the row, document, reference file or folder.
const PAGES: [(&str, &str, &str); 3] = [
    ("scan, vendor OCR", "scanned/cap-WnApp_199.pdf", "gold/ocr/cap-WnApp_199"),
    (
        "scan, twin",
        "scanned/scotus-tarrant-v-herrmann-pp1-2-scan.pdf",
        "gold/ocr/scotus-tarrant-v-herrmann-pp1-2.txt",
    ),
    (
        "transcript",
        "pdf/scotus-transcript-knowles-p1.pdf",
        "gold/ocr/scotus-transcript-knowles-p1.txt",
    ),
];

/// Scores the pages under `gold/ocr`; pairs that the corpus lacks are skipped.
pub(crate) fn pages(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    for (kind, document, reference) in PAGES {
        let reference = corpus.path(reference);
        if !corpus.has(document) || !corpus.path(document).exists() || !reference.exists() {
            continue;
        }
        let mut expected = String::new();
        if reference.is_dir() {
            for entry in std::fs::read_dir(reference)? {
                expected.push_str(&std::fs::read_to_string(entry?.path())?);
                expected.push('\n');
            }
        } else {
            expected = std::fs::read_to_string(reference)?;
        }
        let read = corpus.extracted(document)?;
        let (gold, ours) = (bag(&expected), bag(&read.text));
        let common: usize = gold
            .iter()
            .map(|(word, count)| (*count).min(ours.get(word).copied().unwrap_or(0)))
            .sum();
        for (word, count) in &gold {
            let missing = count.saturating_sub(ours.get(word).copied().unwrap_or(0));
            if missing > 0 {
                report.note("pages", kind, "missed", word);
            }
        }
        report.add("pages", kind, gold.values().sum(), ours.values().sum(), common);
    }
    Ok(())
}

fn bag(text: &str) -> HashMap<String, usize> {
    let mut bag = HashMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *bag.entry(word.to_lowercase()).or_default() += 1;
    }
    bag
}

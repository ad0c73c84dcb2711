//! Citation gold: kinds and parts, spans in opinions, statutes, reporters.

use compartment_documents::entities::mentions;
use compartment_documents::model::{CitationForm, EntityKind, Mention};
use serde_json::Value;

use crate::corpus::{CodePoints, Corpus, context, letters, list, offset, text};
use crate::tally::Report;

/// Bytes around a citation that a note shows.
const CONTEXT: usize = 30;

/// Citations among the mentions, with their form.
fn citations(content: &str) -> Vec<Mention> {
    mentions(content).into_iter().filter(|m| m.kind == EntityKind::Citation).collect()
}

/// The gold's name of a form; `None` if the gold does not annotate it.
fn eyecite_kind(mention: &Mention) -> Option<&'static str> {
    let parts = mention.citation()?;
    Some(match parts.form {
        CitationForm::FullCase => "FullCaseCitation",
        CitationForm::ShortCase => "ShortCaseCitation",
        CitationForm::Id => "IdCitation",
        CitationForm::Supra => "SupraCitation",
        CitationForm::Reference => "ReferenceCitation",
        CitationForm::Journal => "FullJournalCitation",
        CitationForm::Statute | CitationForm::Regulation => {
            // The gold calls a section without a code unknown, and annotates only the sign.
            match &parts.reporter {
                Some(_) if parts.section.is_some() || parts.page.is_some() => "FullLawCitation",
                Some(_) => return None,
                None if mention.text.starts_with('§') => "UnknownCitation",
                None => return None,
            }
        }
        _ => return None,
    })
}

/// Scores `gold/eyecite-find.jsonl`: kind and the citation's parts, in order.
pub(crate) fn eyecite_find(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    let source = "eyecite tests";
    for line in corpus.gold("eyecite-find")? {
        let content = cleaned(&line);
        let ours = citations(&content);
        let mut left: Vec<(String, &Mention)> =
            ours.iter().filter_map(|m| Some((signature(eyecite_kind(m)?, m), m))).collect();
        let gold = list(&line, "expected");
        let (mut correct, mut names, mut named, mut years, mut dated) = (0, 0, 0, 0, 0);
        let found = left.len();
        for expected in gold {
            let wanted = expected_signature(expected);
            let Some(at) = left.iter().position(|(signature, _)| *signature == wanted) else {
                report.note(
                    source,
                    "citation",
                    "missed",
                    &format!(
                        "{wanted} IN {content} OURS {:?}",
                        left.iter().map(|(s, _)| s).collect::<Vec<_>>()
                    ),
                );
                continue;
            };
            correct += 1;
            let (_, mention) = left.remove(at);
            let Some(parts) = mention.citation() else { continue };
            let metadata = &expected["metadata"];
            if text(expected, "kind") == "FullCaseCitation" {
                for (field, ours) in
                    [("plaintiff", &parts.plaintiff), ("defendant", &parts.defendant)]
                {
                    if metadata[field].is_string() {
                        names += 1;
                        let right = ours
                            .as_deref()
                            .is_some_and(|name| letters(name) == letters(text(metadata, field)));
                        named += usize::from(right);
                        if !right {
                            report.note(
                                source,
                                "case name",
                                "missed",
                                &format!("{} ours {ours:?} IN {content}", text(metadata, field)),
                            );
                        }
                    }
                }
                if let Some(year) = expected["year"].as_u64() {
                    dated += 1;
                    let right = parts.year.map(u64::from) == Some(year);
                    years += usize::from(right);
                    if !right {
                        report.note(
                            source,
                            "year",
                            "missed",
                            &format!("{year} ours {:?} IN {content}", parts.year),
                        );
                    }
                }
            }
        }
        for (signature, _) in &left {
            report.note(source, "citation", "in vain", &format!("{signature} IN {content}"));
        }
        report.add(source, "citation", gold.len(), found, correct);
        report.add_recall(source, "case name", names, named);
        report.add_recall(source, "year", dated, years);
    }
    Ok(())
}

/// The text after the clean-up steps listed in the gold.
fn cleaned(line: &Value) -> String {
    let mut content = text(line, "text").to_owned();
    for step in list(line, "clean_steps") {
        content = match step.as_str() {
            Some("html") => strip_tags(&content),
            Some("all_whitespace") => {
                content.replace('\u{200b}', " ").split_whitespace().collect::<Vec<_>>().join(" ")
            }
            Some("inline_whitespace") => content
                .lines()
                .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
                .join("\n"),
            _ => content,
        };
    }
    content
}

fn strip_tags(html: &str) -> String {
    let mut out = String::new();
    let mut tag = false;
    for c in html.chars() {
        match c {
            '<' => tag = true,
            '>' => {
                tag = false;
                out.push(' ');
            }
            c if !tag => out.push(c),
            _ => {}
        }
    }
    // Emphasis inside a name must not separate it from its punctuation.
    out.replace(" ,", ",").replace(" .", ".")
}

fn signature(kind: &str, mention: &Mention) -> String {
    let parts = mention.citation();
    let field = |value: Option<&String>| value.map(|v| letters(v)).unwrap_or_default();
    match kind {
        "FullCaseCitation" | "ShortCaseCitation" | "FullJournalCitation" => {
            let page = parts.and_then(|p| {
                if kind == "ShortCaseCitation" { p.pin_cite.as_ref() } else { p.page.as_ref() }
            });
            // The gold gives the first page of a short citation's pin, as its page.
            let page = page.map(|page| match kind {
                "ShortCaseCitation" => page.split(['-', '–', ',', ' ']).next().unwrap_or_default(),
                _ => page.as_str(),
            });
            format!(
                "{kind} {}|{}|{}",
                field(parts.and_then(|p| p.volume.as_ref())),
                field(parts.and_then(|p| p.reporter.as_ref())),
                letters(page.unwrap_or_default())
            )
        }
        "FullLawCitation" => {
            let section = parts.and_then(|p| p.section.as_deref()).unwrap_or_default();
            format!(
                "{kind} {}|{}",
                field(parts.and_then(|p| p.reporter.as_ref())),
                letters(section.split('(').next().unwrap_or_default())
            )
        }
        _ => kind.to_owned(),
    }
}

fn expected_signature(expected: &Value) -> String {
    let kind = text(expected, "kind");
    let groups = &expected["groups"];
    match kind {
        "FullCaseCitation" | "ShortCaseCitation" | "FullJournalCitation" => {
            format!(
                "{kind} {}|{}|{}",
                letters(text(groups, "volume")),
                letters(text(expected, "corrected_reporter")),
                letters(text(groups, "page"))
            )
        }
        "FullLawCitation" => format!(
            "{kind} {}|{}",
            letters(text(groups, "reporter")),
            letters(text(groups, "section"))
        ),
        _ => kind.to_owned(),
    }
}

/// Scores `gold/us-statute-citations.jsonl`: the cited provision, by position and normal form.
pub(crate) fn us_statutes(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    let source = "unitedstates/citation";
    for line in corpus.gold("us-statute-citations")? {
        let content = text(&line, "text");
        let points = CodePoints::of(content);
        let mut gold: Vec<(usize, &str)> = list(&line, "expected")
            .iter()
            .map(|expected| {
                let start = offset(expected, "start");
                (points.byte(start), text(expected, "match"))
            })
            .collect();
        gold.dedup();
        let kinds = line["types"].to_string();
        let ours: Vec<Mention> =
            citations(content).into_iter().filter(|m| of_type(m, &kinds)).collect();
        let mut correct = 0;
        for (start, matched) in &gold {
            let hit = ours.iter().any(|m| {
                m.start == *start
                    && (letters(matched) == letters(&m.text)
                        || letters(matched).starts_with(&letters(&m.text))
                            && letters(&m.text).len() * 10 >= letters(matched).len() * 6)
            });
            correct += usize::from(hit);
            if !hit {
                report.note(
                    source,
                    "provision",
                    "missed",
                    &format!(
                        "{matched} IN {content} OURS {:?}",
                        ours.iter().map(|m| &m.text).collect::<Vec<_>>()
                    ),
                );
            }
        }
        if ours.len() > correct {
            report.note(
                source,
                "provision",
                "in vain",
                &format!("{:?} IN {content}", ours.iter().map(|m| &m.text).collect::<Vec<_>>()),
            );
        }
        report.add(source, "provision", gold.len(), ours.len(), correct);
    }
    Ok(())
}

/// Whether a mention has one of the types that the text is annotated for.
fn of_type(mention: &Mention, kinds: &str) -> bool {
    let Some(parts) = mention.citation() else { return false };
    let reporter = parts.reporter.as_deref().unwrap_or_default();
    match parts.form {
        CitationForm::FullCase => kinds.contains("reporter"),
        CitationForm::Constitution => kinds.contains("usconst"),
        CitationForm::Regulation => match reporter {
            "C.F.R." => kinds.contains("cfr"),
            "Fed. Reg." => kinds.contains("fedreg"),
            "D.C. Reg." => kinds.contains("dc_register"),
            _ => false,
        },
        CitationForm::Statute => match reporter {
            "U.S.C." => kinds.contains("usc\""),
            "Pub. L." | "Pvt. L." => kinds.contains("law"),
            "" => false,
            other => {
                (other.starts_with('V') && kinds.contains("va_code"))
                    || (letters(other).starts_with("dc") && kinds.contains("dc_"))
                    || (other == "Stat." && kinds.contains("\"stat"))
            }
        },
        _ => false,
    }
}

/// Scores `gold/reporter-examples.jsonl`: the whole string is one citation of the named reporter or code.
pub(crate) fn reporter_examples(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    let source = "reporters-db";
    for line in corpus.gold("reporter-examples")? {
        let content = text(&line, "text");
        let wanted = letters(text(&line, "reporter"));
        let kind = text(&line, "kind");
        let ours = citations(content);
        let whole = ours.iter().find(|m| letters(&m.text).len() * 10 >= letters(content).len() * 7);
        let parts = whole.and_then(Mention::citation);
        let is_named = |name: Option<&String>| name.is_some_and(|name| letters(name) == wanted);
        // The gold gives series of one reporter (`Ill. 2d`) under the reporter's name.
        let right = parts.is_some_and(|parts| {
            is_named(parts.reporter.as_ref()) || is_named(parts.series_of.as_ref())
        });
        if !right {
            report.note(
                source,
                kind,
                "missed",
                &format!(
                    "{content} ({}) OURS {:?}",
                    text(&line, "reporter"),
                    ours.iter().map(|m| &m.normal).collect::<Vec<_>>()
                ),
            );
        }
        report.add_recall(source, &format!("{kind} found"), 1, usize::from(whole.is_some()));
        report.add_recall(source, &format!("{kind} named"), 1, usize::from(right));
    }
    Ok(())
}

/// Scores `gold/citation-spans.jsonl`, a machine's full case citations: recall only.
pub(crate) fn citation_spans(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    let source = "CourtListener*";
    for line in corpus.gold("citation-spans")? {
        let content = corpus.extracted(text(&line, "doc"))?.text;
        let points = CodePoints::of(&content);
        let ours: Vec<Mention> = citations(&content);
        for span in list(&line, "spans") {
            let (start, end) =
                (points.byte(offset(span, "start")), points.byte(offset(span, "end")));
            let hit =
                ours.iter().any(|m| m.start < end && start < m.end && eyecite_kind(m).is_some());
            if !hit {
                report.note(source, "full case", "missed", &content[start..end]);
            }
            report.add_recall(source, "full case", 1, usize::from(hit));
        }
    }
    Ok(())
}

/// Scores `gold/eyecite-reference.jsonl`, another program's output on the opinions: agreement, not truth.
pub(crate) fn eyecite_reference(corpus: &Corpus, report: &mut Report) -> std::io::Result<()> {
    let source = "eyecite 2.7.8*";
    for line in corpus.gold("eyecite-reference")? {
        let content = corpus.extracted(text(&line, "doc"))?.text;
        let points = CodePoints::of(&content);
        let ours: Vec<(&'static str, Mention)> =
            citations(&content).into_iter().filter_map(|m| Some((eyecite_kind(&m)?, m))).collect();
        let gold: Vec<(&str, usize, usize)> = list(&line, "citations")
            .iter()
            .map(|c| {
                (text(c, "kind"), points.byte(offset(c, "start")), points.byte(offset(c, "end")))
            })
            .collect();
        for kind in [
            "FullCaseCitation",
            "ShortCaseCitation",
            "IdCitation",
            "SupraCitation",
            "FullLawCitation",
            "FullJournalCitation",
        ] {
            let wanted: Vec<_> = gold.iter().filter(|(k, ..)| *k == kind).collect();
            let found: Vec<_> = ours.iter().filter(|(k, _)| *k == kind).collect();
            let mut correct = 0;
            for (_, start, end) in &wanted {
                let hit = found.iter().any(|(_, m)| m.start < *end && *start < m.end);
                correct += usize::from(hit);
                if !hit {
                    let around = context(&content, (*start, *end), CONTEXT);
                    let note = format!("{} IN {around}", &content[*start..*end]);
                    report.note(source, kind, "missed", &note);
                }
            }
            for (_, m) in &found {
                if !wanted.iter().any(|(_, start, end)| m.start < *end && *start < m.end) {
                    let around = context(&content, (m.start, m.end), CONTEXT);
                    report.note(source, kind, "in vain", &format!("{} IN {around}", m.text));
                }
            }
            report.add(
                source,
                kind.trim_end_matches("Citation"),
                wanted.len(),
                found.len(),
                correct,
            );
        }
    }
    Ok(())
}

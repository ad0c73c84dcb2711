//! Citations that point back: `Id. at 5`, `Doe, supra`, `In Doe at 62`.

use std::collections::HashSet;

use super::parentheticals::read_parenthetical;
use super::pin_cites::pin_length;
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(id_regex, r"(?:\b|_)(?:[Ii]d|[Ii]bid)\._?,?");
static_regex!(
    supra_regex,
    r"(?:(?P<name>[A-Z][\w.'’&-]*(?:\s+(?:[A-Z][\w.'’&-]*|of|the|&|and|v\.)){0,8})(?:,|\s)\s*)?(?:\d{1,3}\s)?(?:\b|_)(?:[Ss]upra|SUPRA)(?:\b|_),?"
);
static_regex!(
    /// The words between `Id.` or `supra` and the places of a pin cite.
    before_pin_regex,
    r"^\s{1,20}(?P<pin>(?P<note>(?:notes?|nn?\.)\s?\d{1,4},?\s{0,20})?(?P<at>at\s{1,20})?)"
);

/// The end of the pin cite behind `end`, and its text: `at 5`, `§ 3`, `note 6, at 5`.
fn pin(text: &str, end: usize) -> Option<(usize, String)> {
    let opening = before_pin_regex().captures(&text[end..])?;
    let start = end + opening.name("pin").map_or(0, |pin| pin.start());
    let places = end + opening.get(0).map_or(0, |whole| whole.end());
    let marked = text[places..].starts_with(['¶', '§', '*', 'n', 'p']);
    let length =
        if opening.name("at").is_some() || marked { pin_length(&text[places..]) } else { None };
    let pin_end = match (length, opening.name("note")) {
        (Some(length), _) => places + length,
        (None, Some(note)) => {
            end + note.start() + note.as_str().trim_end_matches([' ', ',', '\n']).len()
        }
        (None, None) => return None,
    };
    // The letters of subsections belong to a section: `§ 3(a)`.
    let behind = &text[pin_end..];
    let letters = if text[places..].starts_with('§') {
        subsections_regex().find(behind).map_or(0, |m| m.end())
    } else {
        0
    };
    Some((pin_end + letters, text[start..pin_end + letters].to_owned()))
}

static_regex!(subsections_regex, r"^(?:[-.]\w{1,6})*(?:\(\w{1,5}\))*");
static_regex!(
    named_at_regex,
    r"(?P<name>[A-Z][\w'’&.-]*(?:\s+[A-Z][\w'’&.-]*){0,4}),?\s+at\s+(?P<pin>\d{1,5}(?:[-–]\d{1,5})?)\b"
);

/// Every `Id.`, `supra` and named reference. `citations` are the document's other citations: a named
/// reference counts only if a citation has the name.
pub(super) fn back_references(text: &str, citations: &[Mention]) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    for captures in id_regex().captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        let pin = pin(text, whole.end());
        let end = pin.as_ref().map_or(whole.end(), |(end, _)| *end);
        let mut parts = CitationParts::new(CitationForm::Id, whole.start(), end);
        parts.pin_cite = pin.map(|(_, pin)| pin);
        read_parenthetical(text, end, &mut parts);
        let mention = Mention::new(EntityKind::Citation, text, whole.start(), end, "Id.");
        found.push(mention.with_citation(parts));
    }
    let spans = short_spans(citations);
    for captures in supra_regex().captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        // `Doe, supra, 316 F. Supp. at 884` is a short citation, not a `supra`.
        let before = spans.partition_point(|(start, _)| *start < whole.end());
        let last = before.checked_sub(1).and_then(|last| spans.get(last));
        if last.is_some_and(|(_, furthest)| whole.end() <= *furthest) {
            continue;
        }
        let name = captures.name("name").map(|name| last_capitalised(name.as_str()));
        let pin = pin(text, whole.end());
        let end = pin.as_ref().map_or(whole.end(), |(end, _)| *end);
        let mut parts = CitationParts::new(CitationForm::Supra, whole.start(), end);
        parts.pin_cite = pin.map(|(_, pin)| pin);
        read_parenthetical(text, end, &mut parts);
        let normal = match &name {
            Some(name) => format!("{name}, supra"),
            None => "supra".to_owned(),
        };
        parts.antecedent = name;
        let mention = Mention::new(EntityKind::Citation, text, whole.start(), end, normal);
        found.push(mention.with_citation(parts));
    }
    found.extend(named_references(text, citations));
    found
}

/// The starts of the short citations in order, each with the furthest end up to it.
fn short_spans(citations: &[Mention]) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = citations
        .iter()
        .filter_map(Mention::citation)
        .filter(|parts| parts.form == CitationForm::ShortCase)
        .map(|parts| (parts.full_start, parts.full_end))
        .collect();
    spans.sort_unstable();
    let mut furthest = 0;
    for (_, end) in &mut spans {
        furthest = furthest.max(*end);
        *end = furthest;
    }
    spans
}

/// References such as `In Doe at 62`, if a full citation of the document names Doe.
fn named_references(text: &str, citations: &[Mention]) -> Vec<Mention> {
    let names: HashSet<&str> = citations
        .iter()
        .filter_map(Mention::citation)
        .filter(|parts| parts.form == CitationForm::FullCase)
        .flat_map(|parts| [parts.plaintiff.as_deref(), parts.defendant.as_deref()])
        .flatten()
        .filter(|name| name.len() > 2)
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let mut spans: Vec<(usize, usize)> = citations
        .iter()
        .filter(|mention| mention.kind == EntityKind::Citation)
        .filter_map(Mention::citation)
        .map(|parts| (parts.full_start, parts.full_end))
        .collect();
    spans.sort_unstable();
    let mut found = Vec::new();
    for captures in named_at_regex().captures_iter(text) {
        let (Some(name), Some(pin)) = (captures.name("name"), captures.name("pin")) else {
            continue;
        };
        // The name may follow a capitalised word of the sentence: `In Doe at 62`.
        let mut offset = 0;
        let candidate = loop {
            let rest = &name.as_str()[offset..];
            if names.contains(rest) {
                break Some(rest);
            }
            match rest.find(char::is_whitespace) {
                Some(space) => {
                    offset += space + rest[space..].len() - rest[space..].trim_start().len()
                }
                None => break None,
            }
        };
        let Some(candidate) = candidate else { continue };
        let (start, end) = (name.start() + offset, pin.end());
        // `Roe, at 310, 115 S. Ct. 5`: the name and the page belong to the citation behind them.
        let at = spans.partition_point(|(_, span_end)| *span_end <= start);
        if spans.get(at).is_some_and(|(span_start, _)| *span_start < end) {
            continue;
        }
        let mut parts = CitationParts::new(CitationForm::Reference, start, end);
        parts.antecedent = Some(candidate.to_owned());
        parts.pin_cite = Some(pin.as_str().to_owned());
        let normal = format!("{candidate}, at {}", pin.as_str());
        found.push(
            Mention::new(EntityKind::Citation, text, start, end, normal).with_citation(parts),
        );
    }
    found
}

/// The name without signal words before it.
fn last_capitalised(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    let skip = words
        .iter()
        .take_while(|word| {
            let lower = word.trim_end_matches([',', '.']).to_lowercase();
            super::tables::words::SIGNALS.contains(&lower.as_str())
        })
        .count();
    words[skip.min(words.len().saturating_sub(1))..].join(" ").trim_end_matches(',').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::case_citations::case_citations;

    fn normals(text: &str) -> Vec<String> {
        let citations = case_citations(text);
        back_references(text, &citations).iter().map(|m| m.normal.clone()).collect()
    }

    #[test]
    fn id_and_ibid() {
        let found = back_references("Id. at 62-63, 67-68. Ibid. The bid. ID. 5", &[]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].citation().unwrap().pin_cite.as_deref(), Some("at 62-63, 67-68"));
    }

    #[test]
    fn supra_knows_its_name() {
        assert_eq!(normals("See Roe, supra, at 2. And supra."), ["Roe, supra", "And, supra"]);
    }

    #[test]
    fn names_refer_only_where_a_citation_bears_them() {
        assert_eq!(normals("Foo v. Bar, 1 U.S. 12. In Foo at 62, and Baz at 3"), ["Foo, at 62"]);
    }

    #[test]
    fn a_supra_within_a_short_citation_is_none() {
        let text = "Roe v. Poe, 316 F. Supp. 880 (1970). Roe, supra, 316 F. Supp. at 884. Poe, supra, at 2.";
        assert_eq!(normals(text), ["Poe, supra"]);
    }
}

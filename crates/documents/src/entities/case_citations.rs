//! Case citations with their context: name before, pin pages and parenthesis after, parallel citations.

use super::case_names::{CaseName, bare_names, name_before};
use super::citations::core_citations;
use super::core_citation::CoreCitation;
use super::courts::court_in_parenthesis;
use super::initials::Initials;
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    /// Pin pages after a citation: `, 347-48, 350 n.4`.
    pin_regex,
    r"(?x)^\s{0,8},?\s{0,90}(?:at\s+)?(?P<pin>
      (?:\*{1,2}|¶{1,2}\s?|§{1,2}\s?|pp?\.\s*|nn?\.\s*|slip\ op\.\ at\ )?\d{1,5}(?:\s?[-–—]\s?\*?\d{1,5})?
      (?:\s*(?:&\s*)?(?:n|nn|fn|note)s?\.?\s*\d{1,3}(?:[-–]\d{1,3})?)?
      (?:\s*(?:,|&|and)\s+(?:¶{1,2}\s?|\*)?\d{1,5}(?:\s?[-–—]\s?\*?\d{1,5})?(?:\s*(?:n|nn|fn)\.?\s*\d{1,3})?)*)"
);
static_regex!(
    /// The parenthesis with court and year.
    paren_regex,
    r"^\s{0,90}[\[(](?P<court>[^()\[\]]{0,80}?)\s*(?:[A-Z][a-z]{2,8}\.?\s\d{1,2},\s*|\d{1,2}/\d{1,2}/(?P<short>\d\d)\b)?(?P<year>1[6-9]\d\d|20\d\d)?(?:[-–]\d{2,4})?\s*[\])]"
);
static_regex!(
    /// Text between parallel citations of one case.
    parallel_regex,
    r"^[\s,;:\[(]*$"
);
static_regex!(
    antecedent_regex,
    r"(?P<name>[A-Z][\w.'’&-]*(?:\s+(?:[A-Z][\w.'’&-]*|of|the|&|and|v\.)){0,8}),?(?:\s*supra,?)?\s*$"
);
static_regex!(year_before_regex, r"[\[(](?P<year>1[6-9]\d\d|20\d\d)[\])]\s*$");

/// Maximum number of citations that stand for one case; no case is reported in so many places.
const MAX_PARALLEL: usize = 32;

/// Every case and journal citation, and every case named without one.
pub(super) fn case_citations(text: &str) -> Vec<Mention> {
    let cores = core_citations(text);
    let initials = Initials::read(text);
    let mut mentions: Vec<Mention> = Vec::with_capacity(cores.len());
    let mut floor = 0;
    let mut chain_start = 0;
    for (at, core) in cores.iter().enumerate() {
        let next = cores.get(at + 1).map_or(text.len(), |core| core.start);
        let mut parts = CitationParts::new(core.form, core.start, core.end);
        parts.volume.clone_from(&core.volume);
        parts.reporter = Some(core.reporter.clone());
        parts.page.clone_from(&core.page);
        parts.year = core.year;
        parts.court = core.court.map(str::to_owned);
        read_after(text, next, core, &mut parts);
        let parallel = mentions.last().and_then(Mention::citation).is_some_and(|previous| {
            core.form == CitationForm::FullCase
                && previous.form == CitationForm::FullCase
                && mentions.len() - chain_start < MAX_PARALLEL
                && text
                    .get(previous.full_end..core.start)
                    .is_some_and(|gap| parallel_regex().is_match(gap) && !gap.contains(';'))
        });
        if parallel {
            share_with_previous(&mut mentions, chain_start, &mut parts);
        } else {
            chain_start = mentions.len();
            match core.form {
                CitationForm::ShortCase => read_antecedent(text, core.start, floor, &mut parts),
                CitationForm::FullCase | CitationForm::Journal => {
                    if let Some(name) = name_before(text, core.start, floor, &initials) {
                        take_name(name, &mut parts);
                    }
                    if parts.year.is_none() {
                        let head = &text
                            [text.floor_char_boundary(core.start.saturating_sub(12))..core.start];
                        if let Some(found) = year_before_regex().captures(head) {
                            parts.year = found["year"].parse().ok();
                            // `(1969) 2 SCC 262`: the year is part of the reference.
                            let length = found.get(0).map_or(0, |m| m.len());
                            parts.full_start = parts.full_start.min(core.start - length);
                        }
                    }
                }
                _ => {}
            }
        }
        floor = parts.full_end;
        let mention = Mention::new(EntityKind::Citation, text, core.start, core.end, core.normal());
        mentions.push(mention.with_citation(parts));
    }
    let taken: Vec<(usize, usize)> = mentions
        .iter()
        .filter_map(|m| m.citation().map(|parts| (parts.full_start, parts.full_end)))
        .collect();
    for name in bare_names(text, &taken, &initials) {
        mentions.push(bare_case(text, name));
    }
    mentions
}

/// Reads pin pages, court and year after the citation, up to the next one.
fn read_after(text: &str, next: usize, core: &CoreCitation, parts: &mut CitationParts) {
    let mut end = core.end;
    // Court papers pad line breaks widely, but a more distant parenthesis belongs to something
    // else.
    let limit = text.floor_char_boundary(next.min(end + 400));
    let Some(rest) = text.get(end..limit) else { return };
    if core.form == CitationForm::ShortCase {
        parts.pin_cite.clone_from(&core.page);
        parts.page = None;
    }
    if let Some(pin) = pin_regex().captures(rest) {
        let matched = &pin["pin"];
        let pin_end = pin.get(0).map_or(0, |m| m.end());
        // The last number may be the next citation's volume.
        let cut = if end + pin_end >= next {
            matched.rfind([',', '&']).unwrap_or(0)
        } else {
            matched.len()
        };
        // `1 U.S. 1 1982`: a number without a comma is not a pin page.
        let separated = rest.trim_start().starts_with([',', 'a']) || core.page.is_none();
        if cut > 0 && separated {
            let pages = matched[..cut].trim_end();
            if core.form != CitationForm::ShortCase {
                parts.pin_cite = Some(pages.to_owned());
            }
            end += pin_end - (matched.len() - pages.len());
        }
    }
    if let Some(rest) = text.get(end..limit)
        && let Some(paren) = paren_regex().captures(rest)
        && let Some(digits) = paren.name("year").or(paren.name("short"))
    {
        parts.year = year(digits.as_str()).or(parts.year);
        if let Some(court) = court_in_parenthesis(&paren["court"], parts.reporter.as_deref()) {
            parts.court = Some(court);
        }
        end += paren.get(0).map_or(0, |m| m.end());
    }
    parts.full_end = end;
}

fn year(digits: &str) -> Option<u16> {
    let year: u16 = digits.parse().ok()?;
    match year {
        // `12/15/95`: two digits from 30 on are years of the last century.
        30..=99 => Some(1900 + year),
        0..=29 => Some(2000 + year),
        year => Some(year),
    }
}

/// Parallel citations of one case share the facts that any of them has.
fn share_with_previous(mentions: &mut [Mention], chain_start: usize, parts: &mut CitationParts) {
    for mention in &mut mentions[chain_start..] {
        if let Some(previous) = mention.attributes.citation.as_deref_mut() {
            parts.full_start = previous.full_start;
            parts.plaintiff.clone_from(&previous.plaintiff);
            parts.defendant.clone_from(&previous.defendant);
            parts.year = parts.year.or(previous.year);
            if parts.court.is_none() {
                parts.court.clone_from(&previous.court);
            }
            previous.year = previous.year.or(parts.year);
            if previous.court.is_none() {
                previous.court.clone_from(&parts.court);
            }
            previous.full_end = parts.full_end;
        }
    }
}

fn take_name(name: CaseName, parts: &mut CitationParts) {
    parts.full_start = name.start;
    parts.plaintiff = name.plaintiff;
    parts.defendant = name.defendant;
}

fn read_antecedent(text: &str, start: usize, floor: usize, parts: &mut CitationParts) {
    let from = text.floor_char_boundary(start.saturating_sub(100)).max(floor);
    let Some(window) = text.get(from..start) else { return };
    if let Some(found) = antecedent_regex().captures(window) {
        parts.antecedent = Some(last_name(&found["name"]));
        parts.full_start = from + found.get(0).map_or(0, |m| m.start());
    }
}

/// The name after the last signal word or `v.`: `See Roe v. Doe` is cited as `Doe`.
fn last_name(name: &str) -> String {
    let mut words: Vec<&str> = name.split_whitespace().collect();
    while words.len() > 1 && is_signal(words[0]) {
        words.remove(0);
    }
    words.join(" ").trim_end_matches([',', ' ']).to_owned()
}

fn is_signal(word: &str) -> bool {
    let lower = word.trim_end_matches(['.', ',']).to_lowercase();
    super::tables::words::SIGNALS.contains(&lower.as_str())
}

fn bare_case(text: &str, name: CaseName) -> Mention {
    let mut parts = CitationParts::new(CitationForm::Reference, name.start, name.end);
    let normal = match (&name.plaintiff, &name.defendant) {
        (Some(plaintiff), Some(defendant)) => format!("{plaintiff} v. {defendant}"),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => String::new(),
    };
    let (start, end) = (name.start, name.end);
    take_name(name, &mut parts);
    Mention::new(EntityKind::Case, text, start, end, normal).with_citation(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> CitationParts {
        case_citations(text)[0].citation().unwrap().clone()
    }

    #[test]
    fn a_full_citation_knows_its_surroundings() {
        let parts = first("See Roe v. Doe, 164 A.3d 1189, 1192-93 (Pa. 2017).");
        assert_eq!(parts.plaintiff.as_deref(), Some("Roe"));
        assert_eq!(parts.pin_cite.as_deref(), Some("1192-93"));
        assert_eq!((parts.year, parts.court.as_deref()), (Some(2017), Some("pa")));
    }

    #[test]
    fn a_chain_of_citations_without_end_is_no_single_case() {
        let text = "123 U.S. 456 ".repeat(MAX_PARALLEL * 3);
        let all = case_citations(&text);
        assert_eq!(all.len(), MAX_PARALLEL * 3);
        let starts: std::collections::BTreeSet<usize> =
            all.iter().filter_map(|one| Some(one.citation()?.full_start)).collect();
        assert_eq!(starts.len(), 3, "each chain has one start");
    }

    #[test]
    fn parallel_citations_share_what_they_know() {
        let text = "Roe v. Doe, 1 U.S. 12, 15, 2 S. Ct. 30, 4 L. Ed. 2d 7 (1982)";
        let all = case_citations(text);
        assert_eq!(all.len(), 3);
        for mention in &all {
            let parts = mention.citation().unwrap();
            assert_eq!(
                (parts.year, parts.defendant.as_deref()),
                (Some(1982), Some("Doe")),
                "{parts:?}"
            );
        }
        assert_eq!(first(text).pin_cite.as_deref(), Some("15"));
    }

    #[test]
    fn short_citations_know_the_name_before() {
        let parts = first("So held Roe, 1 U. S., at 2 (2016)");
        assert_eq!(
            (parts.form, parts.antecedent.as_deref()),
            (CitationForm::ShortCase, Some("Roe"))
        );
        assert_eq!(parts.pin_cite.as_deref(), Some("2"));
    }

    #[test]
    fn a_name_without_citation_is_a_case() {
        let all = case_citations("We decided Roe v. Doe long ago.");
        assert_eq!((all[0].kind, all[0].normal.as_str()), (EntityKind::Case, "Roe v. Doe"));
    }
}

//! Finds lawyers and their clients in counsel paragraphs, docket sheets and Indian appearances.

use super::counsel_names::{is_city, names_in};
use super::docket_sheets::Sheet;
use super::lawyer_mention::push;
use super::persons::PERSON;
use super::windows::windows;
use crate::model::Mention;
use crate::static_regex::static_regex;

/// Words for clients of lawyers.
const CLIENT: &str = r"(?:(?:the\s+)?(?:plaintiffs?|defendants?|appellants?|appellees?|petitioners?|respondents?|claimants?|intervenors?|debtors?|government|state|people|commonwealth|united\s+states|applicants?|movants?|complainants?|revisionists?|opposite\s+part(?:y|ies)|assessee|revenue|amic(?:us|i)(?:\s+curiae)?|cross-\w+|employer|employee|insurer|trustee|accused|r-?\d+)(?:[-/\s(),]*(?:plaintiffs?|defendants?|appellants?|appellees?|petitioners?|respondents?|s\b|cross-\w+|nos?\.?|\d+))*)";

static_regex!(
    for_client_regex,
    format!(
        r"(?i)(?:,|\bof\s+counsel\)?,?|\s|\))\s*\b(?:for|on\s+behalf\s+of|appear(?:ing|ed|s)\s+(?:for|on\s+behalf\s+of)|counsel\s+for|attorneys?\s+for)\s+(?P<client>{CLIENT})"
    )
);
static_regex!(
    honorific_regex,
    format!(
        r"\b(?:(?i:mr|mrs|ms|miss|shri|sri|smt|dr|advocate|adv|learned\s+(?:senior\s+)?counsel)\b[.,:]?\s*:?\s*){{1,3}}(?P<name>{PERSON})"
    )
);
static_regex!(
    counsel_field_regex,
    r"(?i)\b(?:counsel|advocates?|attorneys?)\s+for\s+(?:the\s+)?(?P<client>[A-Za-z/() ]{4,40}?)\s*(?:\(s\))?\s*:-?\s*(?P<names>[^\n]{3,600})"
);

/// The lawyers that a docket sheet lists, with their clients.
pub(super) fn listed(text: &str, sheet: &Sheet) -> Vec<Mention> {
    let mut found = Vec::new();
    for lawyer in &sheet.lawyers {
        push(text, lawyer.start, lawyer.end, Some(&lawyer.party), &mut found);
    }
    found
}

/// Every lawyer of a paper that is no docket sheet, with the client if the text names one.
pub(super) fn lawyers(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    counsel_paragraphs(text, &mut found);
    counsel_fields(text, &mut found);
    super::counsel_blocks::counsel_blocks(text, &mut found);
    super::esquires::esquires(text, &mut found);
    honorifics(text, &mut found);
    found.sort_by_key(|m| (m.start, std::cmp::Reverse(m.end)));
    found.dedup_by(|b, a| {
        let same = b.start < a.end;
        if same {
            let more = std::mem::take(&mut b.attributes.represents);
            for client in more {
                if !a.attributes.represents.contains(&client) {
                    a.attributes.represents.push(client);
                }
            }
        }
        same
    });
    found
}

/// Maximum length of a list of names before `for appellant`, in bytes.
const COUNSEL_WINDOW: usize = 700;

/// `Jane Doe, with whom John Roe was on brief, for appellant.`
fn counsel_paragraphs(text: &str, found: &mut Vec<Mention>) {
    let mut floor = 0;
    for captures in for_client_regex().captures_iter(text) {
        let (Some(whole), Some(client)) = (captures.get(0), captures.name("client")) else {
            continue;
        };
        let from =
            text.floor_char_boundary(whole.start().saturating_sub(COUNSEL_WINDOW)).max(floor);
        let window = &text[from..whole.start()];
        let start = from + counsel_start(window);
        let segment = &text[start..whole.start()];
        // Running prose also contains `for the defendant`; lists of counsel have no verb.
        if !is_counsel_list(segment) {
            continue;
        }
        for (at, name) in names_in(segment) {
            push(text, start + at, start + at + name.len(), Some(client.as_str()), found);
        }
        floor = whole.end();
    }
}

/// Where the sentence that lists counsel begins.
fn counsel_start(window: &str) -> usize {
    let mut start = 0;
    let bytes = window.as_bytes();
    for (at, _) in window.match_indices('.') {
        let word = window[..at]
            .rsplit(|c: char| c.is_whitespace() || c == ',' || c == '(')
            .next()
            .unwrap_or_default();
        let next = bytes.get(at + 1).copied();
        let ends = word.chars().count() > 3
            && !super::tables::words::is_abbreviation(&format!("{word}."))
            && next.is_some_and(|b| b.is_ascii_whitespace() || b.is_ascii_uppercase());
        if ends {
            start = at + 1;
        }
    }
    // Lists of counsel follow the caption and the panel, and a list for the other side.
    if let Some(last) = heading_regex().find_iter(&window[start..]).last() {
        start += last.end();
    }
    // Star pages and rules may precede the first name: `*274James Roe`.
    let head = window[start..].len()
        - window[start..].trim_start_matches(|c: char| !c.is_alphabetic()).len();
    start + head
}

static_regex!(
    heading_regex,
    r"(?i)\b(?:petitioners?|respondents?|appellants?|appellees?|plaintiffs?|defendants?|versus|vs\.|between|coram|before|appearances?|present)\b(?:\(s\)|/s)?[\s.:;-]*"
);

fn is_counsel_list(segment: &str) -> bool {
    let words: Vec<&str> = segment.split_whitespace().collect();
    if words.is_empty() || words.len() > 110 {
        return false;
    }
    let plain = words
        .iter()
        .filter(|word| word.starts_with(|c: char| c.is_lowercase()))
        .filter(|word| {
            let bare = word.trim_matches([',', '.', ';', '(', ')']);
            !matches!(
                bare,
                "with"
                    | "whom"
                    | "was"
                    | "were"
                    | "on"
                    | "brief"
                    | "briefs"
                    | "the"
                    | "and"
                    | "of"
                    | "counsel"
                    | "for"
                    | "by"
                    | "in"
                    | "assigned"
                    | "senior"
                    | "assistant"
                    | "state's"
                    | "attorney"
                    | "attorneys"
                    | "at"
                    | "a"
                    | "argued"
                    | "cause"
                    | "a/w"
                    | "i/b"
                    | "w"
                    | "esq"
                    | "him"
                    | "her"
                    | "them"
                    | "appointed"
                    | "submitted"
                    | "oral"
                    | "argument"
                    | "appearance"
                    | "deputy"
                    | "special"
                    | "general"
                    | "public"
                    | "defender"
                    | "prosecuting"
                    | "law"
                    | "student"
                    | "as"
                    | "also"
                    | "pro"
                    | "hac"
                    | "vice"
                    | "appeal"
                    | "behalf"
                    | "from"
                    | "solicitor"
                    | "office"
                    | "chief"
                    | "advocate"
                    | "advocates"
                    | "learned"
                    | "joined"
                    | "filed"
            )
        })
        .count();
    plain * 12 <= words.len()
}

/// `Counsel for Petitioner :- A. Roe,B. Doe`.
fn counsel_fields(text: &str, found: &mut Vec<Mention>) {
    for captures in counsel_field_regex().captures_iter(text) {
        let (Some(client), Some(names)) = (captures.name("client"), captures.name("names")) else {
            continue;
        };
        let mut at = names.start();
        for piece in pieces(names.as_str()) {
            let after = &names.as_str()[(at + piece.len() - names.start()).min(names.len())..];
            let name = piece.trim().trim_end_matches('.');
            let name = name.split(" (").next().unwrap_or(name);
            let bare = name
                .trim_start_matches("Mr.")
                .trim_start_matches("Ms.")
                .trim_start_matches("Sri")
                .trim_start_matches("Shri")
                .trim_start();
            let start = at + piece.find(bare).unwrap_or(0);
            let good = bare.len() >= 4
                && bare.starts_with(|c: char| c.is_uppercase())
                && bare.split_whitespace().count() <= 5
                && (bare.contains(' ')
                    || bare.contains('.')
                        && bare.chars().filter(|c| c.is_lowercase()).count() >= 2
                    || bare.len() > 5)
                && !bare.split_whitespace().any(super::persons::is_office_word)
                && !bare.chars().any(|c| c.is_ascii_digit() || c == ':')
                && super::court_words::state_word(bare).is_none()
                && !is_city(after);
            if good {
                push(text, start, start + bare.len(), Some(client.as_str()), found);
            }
            at += piece.len() + separator(after);
        }
    }
}

/// The names of a list, between commas and `and`.
fn pieces(list: &str) -> Vec<&str> {
    list.split(',').flat_map(|piece| piece.split(" and ")).collect()
}

/// The bytes of the separator that follows a name.
fn separator(after: &str) -> usize {
    if after.starts_with(" and ") { 5 } else { 1 }
}

static_regex!(
    advocacy_regex,
    r"(?i)\b(?:adv(?:ocates?|s)?\b|counsels?\b|for\s+(?:the\s+)?(?:petitioner|respondent|appellant|plaintiff|defendant|applicant|state|assessee|revenue|complainant|accused|r-?\d|intervenor|opposite|revisionist|union)|solicitor|a\.?g\.?p\b|a\.?p\.?p\b|a\.?g\.?a\b|g\.?p\b|p\.?p\b|appear(?:s|ed|ing)\b|amicus|a/w|i/b|public\s+prosecutor|standing)"
);

static_regex!(honorific_trigger, r"\b(?i:mr|mrs|ms|miss|shri|sri|smt|dr|advocate|adv|learned)\b");

/// `Mr. A.K. Roe, Sr. Advocate, for the petitioner`: a title near a word for a lawyer.
fn honorifics(text: &str, found: &mut Vec<Mention>) {
    let spots: Vec<(usize, usize)> =
        advocacy_regex().find_iter(text).map(|m| (m.start(), m.end())).collect();
    if spots.is_empty() {
        return;
    }
    let ranges = windows(text, honorific_trigger(), 2, 90);
    let hits = ranges.into_iter().flat_map(|range| {
        let at = range.start;
        honorific_regex().captures_iter(&text[range]).filter_map(move |captures| {
            let (whole, name) = (captures.get(0)?, captures.name("name")?);
            Some((at + whole.start(), at + name.start()..at + name.end()))
        })
    });
    for (whole, name) in hits {
        let raw = &text[name.clone()];
        let cut = raw
            .find('\n')
            .filter(|at| {
                raw[*at..].trim_start().starts_with("Mr")
                    || raw[*at..].contains("\n\n")
                    || super::persons::is_person(&raw[..*at])
            })
            .unwrap_or(raw.len());
        let mut raw = raw[..cut].trim_end_matches([' ', ',', '\n']);
        // Titles that follow the name are not part of it.
        while let Some((head, last)) = raw.rsplit_once(char::is_whitespace) {
            let office = super::persons::is_office_word(last)
                || matches!(
                    last.trim_matches(['.', ',']),
                    "Adv"
                        | "Sr"
                        | "App"
                        | "APP"
                        | "AGP"
                        | "Agp"
                        | "GP"
                        | "Gp"
                        | "FCA"
                        | "Fca"
                        | "CIT"
                        | "Cit"
                        | "For"
                        | "Asg"
                        | "ASG"
                        | "AGA"
                        | "PP"
                        | "Counsel"
                        | "AAG"
                        | "Aag"
                        | "SC"
                        | "DAG"
                );
            if !office {
                break;
            }
            raw = head.trim_end_matches([' ', ',', '\n']);
        }
        let (start, end) = (name.start, name.start + raw.len());
        let letters = raw.chars().filter(|c| c.is_alphabetic()).count();
        if letters < 4 || raw.split_whitespace().next().is_some_and(super::persons::is_office_word)
        {
            continue;
        }
        // A judge has titles too.
        if text[whole..name.start].to_lowercase().contains("justice") {
            continue;
        }
        let near = |window: usize| {
            let from = spots.partition_point(|(_, e)| *e + 12 < whole);
            spots[from..].iter().take_while(|(s, _)| *s <= end + window).next().is_some()
        };
        if near(130) || text[whole..start].to_lowercase().starts_with("adv") {
            let tail = &text[end..text.floor_char_boundary((end + 220).min(text.len()))];
            let client = for_client_regex()
                .captures(tail)
                .and_then(|c| c.name("client").map(|m| m.as_str().to_owned()));
            push(text, start, end, client.as_deref(), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::docket_sheets::docket_sheet;

    /// As [`crate::entities::mentions`] reads a text: as a docket sheet, if it is one.
    fn read(text: &str) -> Vec<Mention> {
        docket_sheet(text).map_or_else(|| lawyers(text), |sheet| listed(text, &sheet))
    }

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text).into_iter().map(|m| (m.normal, m.attributes.represents.join("+"))).collect()
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn counsel_paragraphs_name_people_and_clients() {
        let text = "Frank A. Roe, Jr.,  Assistant United States Attorney, with whom A. John Poe, United States Attorney, was on brief, for the United States.";
        assert_eq!(
            pairs(text),
            [pair("Frank A. Roe Jr.", "United States"), pair("A. John Poe", "United States")]
        );
        assert!(
            pairs("The court found that the jury had ruled for the plaintiff on May 2.").is_empty()
        );
    }

    #[test]
    fn docket_sheets_name_lawyers_under_parties() {
        let text = "Plaintiff\n\nAcme Insurance Company\n\nrepresented by\tBrewster H. Roe\n\nLane LLP\n\nLEAD ATTORNEY\n\nATTORNEY TO BE NOTICED\n\nAnn B. Poe\n(See above for address)\n";
        assert_eq!(
            pairs(text),
            [
                pair("Brewster H. Roe", "Acme Insurance Company"),
                pair("Ann B. Poe", "Acme Insurance Company")
            ]
        );
    }

    #[test]
    fn indian_appearances() {
        assert_eq!(
            pairs("Present: Mr. Surjit Roe, Advocate,\n for the petitioner.")[0],
            pair("Surjit Roe", "petitioner")
        );
        assert_eq!(pairs("Counsel for Appellant :- A.K. Roe,Murli Poe\n").len(), 2);
    }
}

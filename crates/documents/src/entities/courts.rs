//! Finds courts: the longest run of words around a type of court that names one court.

use std::collections::HashMap;

use super::court_abbreviations::abbreviated_court;
use super::court_continuations::{
    continues_name, direction_follows, is_direction, is_judge, place_like, town_after,
};
use super::court_keys::{Forum, court_key, court_key_in, forum_of};
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    head_regex,
    r"(?x)\b(?:
      (?i:supreme|apex|superior|district|circuit|county|municipal|family|probate|bankruptcy|appellate|chancery|tax|juvenile|high|city|sessions|justice|surrogate['’]?s|orphans['’]?|customs|commonwealth|surveillance|trial)\s+(?i:courts?)
      |(?i:court)\s+(?i:of)\s+(?:(?i:criminal|civil|special|military|international|federal|common|customs|first)\s+)?(?i:appeals?|pleas|claims|trade|instance|chancery|errors|sessions|common\s+pleas)
      |(?i:appeals\s+court)|(?i:supreme\s+judicial\s+court)
      |(?i:bankruptcy\s+appellate\s+panel)
      |(?i:appellate|administrative|disputes\s+redressal|arbitral|green|company\s+law|recovery|claims|redressal)\s+(?i:tribunal|commission|division|forum)
      |(?i:(?:labour|special|fast\s+track|magistrate|industrial|rent\s+control|consumer|mahila)\s+court)
      |(?:(?:Principal|Additional|Addl\.?|District\s+(?:and|And|&))\s+){0,3}(?i:sessions\s+judge)
      |(?:(?:Chief|Additional|Addl\.?|Sub[- ]Divisional)\s+){0,2}(?i:(?:judicial|metropolitan)\s+magistrate(?:\s+first\s+class)?)
      |(?:Principal|Additional|Addl\.?)\s+(?i:(?:district|civil|special)\s+judge)|(?i:munsiff?\s+(?:court|magistrate))
      |(?i:northern|southern|eastern|western|middle|central)\s+(?i:district)\s+(?i:of)
    )"
);

/// Words that begin a sentence or refer to something, and are not part of a court's name.
const NOT_LEFT: [&str; 45] = [
    "filed",
    "two",
    "three",
    "several",
    "entered",
    "the",
    "this",
    "that",
    "a",
    "an",
    "in",
    "by",
    "from",
    "our",
    "and",
    "of",
    "for",
    "to",
    "before",
    "on",
    "at",
    "hon'ble",
    "honourable",
    "honorable",
    "hon",
    "see",
    "but",
    "as",
    "when",
    "if",
    "under",
    "because",
    "its",
    "both",
    "each",
    "said",
    "such",
    "chief",
    "judge",
    "judges",
    "justice",
    "former",
    "present",
    "appeal",
    "docket",
];

/// Maximum number of words of a court's name on either side of its type.
const MAX_WORDS: usize = 12;

/// Every mention that identifies a court.
pub(super) fn courts(text: &str) -> Vec<Mention> {
    let spans = spans(text);
    let forum = forum(text, &spans);
    // A paper names few courts many times.
    let mut known: HashMap<&str, Option<String>> = HashMap::new();
    spans
        .into_iter()
        .filter_map(|(start, end)| {
            let name = &text[start..end];
            let key = known.entry(name).or_insert_with(|| key_in(name, forum)).clone()?;
            Some(Mention::new(EntityKind::Court, text, start, end, key))
        })
        .collect()
}

/// The key of a name; in a document of a federal court, the supreme court is that of the country.
fn key_in(name: &str, forum: Option<Forum>) -> Option<String> {
    court_key_in(name, forum).or_else(|| {
        let bare = name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
        let supreme = matches!(bare.as_str(), "supreme court" | "the supreme court");
        match forum {
            Some(Forum::Federal) if supreme => Some("scotus".to_owned()),
            // Only India's is called so.
            _ if bare == "apex court" => Some("in/supreme".to_owned()),
            // A text that names no other court does not say whose it is.
            None if supreme => Some("-/supreme".to_owned()),
            _ => None,
        }
    })
}

/// Where the names of courts may be, in text order and without overlap.
fn spans(text: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for head in head_regex().find_iter(text) {
        if !head.as_str().starts_with(|c: char| c.is_uppercase()) {
            continue;
        }
        let floor = found.last().map_or(0, |span| span.1);
        if head.start() < floor {
            continue;
        }
        let start = extend_left(text, head.start(), floor);
        let head_end =
            if head.as_str().to_lowercase().ends_with("of") { head.end() - 2 } else { head.end() };
        let mut end = extend_right(text, head_end);
        // A lower court of India is named by its judge and a town: `Sessions Judge, Kollam`.
        if is_judge(head.as_str()) {
            end = end.max(town_after(text, end));
        }
        if start < end && text.get(start..end).is_some() {
            found.push((start, end));
        }
    }
    found
}

/// The most names that are read to find out where a document is from.
const FORUM_NAMES: usize = 40;

/// Where a document is from: the first court that its text names in full, or marks of an Indian judgment.
fn forum(text: &str, spans: &[(usize, usize)]) -> Option<Forum> {
    let first = spans
        .iter()
        .take(FORUM_NAMES)
        .find_map(|(start, end)| court_key(&text[*start..*end]).and_then(|key| forum_of(&key)));
    first.or_else(|| {
        let head = &text[..text.floor_char_boundary(text.len().min(FORUM_REACH))];
        INDIAN.iter().any(|mark| head.contains(mark)).then_some(Forum::India)
    })
}

/// The bytes that are searched for marks of an Indian judgment.
const FORUM_REACH: usize = 20_000;

/// Words that only Indian judgments have.
const INDIAN: [&str; 14] = [
    "Hon'ble",
    "Hon’ble",
    "High Court",
    "India",
    "I.P.C",
    " IPC",
    "Cr.P.C",
    "CrPC",
    " Rs.",
    "Shri ",
    "Smt.",
    "lakh",
    "C.P.C",
    "AIR ",
];

/// The court in a citation's parenthesis, or the one court of its reporter.
pub(super) fn court_in_parenthesis(text: &str, reporter: Option<&str>) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return reporter.and_then(abbreviated_court);
    }
    abbreviated_court(text)
}

fn extend_left(text: &str, head: usize, floor: usize) -> usize {
    let mut start = head;
    for _ in 0..MAX_WORDS / 2 {
        let before = &text[floor..start];
        let trimmed = before.trim_end();
        let gap = &before[trimmed.len()..];
        if trimmed.is_empty() || gap.matches('\n').count() > 1 || gap.is_empty() {
            break;
        }
        let word_at = trimmed
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + trimmed[at..].chars().next().map_or(1, char::len_utf8));
        let word = &trimmed[word_at..];
        let lower = word.trim_matches([',', '.', '(', ')']).to_lowercase().replace('’', "'");
        let capital = word.starts_with(|c: char| c.is_uppercase());
        let joins = word == "&"
            || (lower == "of" || lower == "and")
                && before_is_capital(&trimmed[..word_at])
                && text[start..].starts_with(|c: char| c.is_uppercase())
                && !is_court_word(&text[start..]);
        if !joins && (!capital || NOT_LEFT.contains(&lower.as_str()) || ends_name(word)) {
            break;
        }
        start = floor + word_at;
    }
    // A connecting word joins only to a word before it.
    let name = &text[start..head];
    match name.split_whitespace().next() {
        Some(word) if matches!(word, "of" | "and" | "&" | "OF" | "AND") => {
            let after = start + name.find(word).unwrap_or(0) + word.len();
            after + (text[after..head].len() - text[after..head].trim_start().len())
        }
        _ => start,
    }
}

fn before_is_capital(before: &str) -> bool {
    let word = before.split_whitespace().next_back().unwrap_or_default();
    word.starts_with(|c: char| c.is_uppercase()) && !ends_name(word)
}

fn is_court_word(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    matches!(
        word.as_str(),
        "district" | "circuit" | "supreme" | "superior" | "court" | "appellate" | "bankruptcy"
    )
}

/// Whether a name ends after this word.
fn ends_name(word: &str) -> bool {
    word.ends_with([':', ';', ')', '?', '"', '”', '-', '–', '—'])
        || word.contains('/')
        || word.ends_with(',')
        || word.ends_with('.') && !super::tables::words::is_abbreviation(word)
}

fn extend_right(text: &str, head_end: usize) -> usize {
    let mut end = head_end;
    let mut at = head_end;
    let mut words = 0;
    let mut after_connector = false;
    let mut previous_connector = false;
    let mut after_comma = false;
    while words < MAX_WORDS {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        let gap = &rest[..rest.len() - trimmed.len()];
        let mut lines = gap.matches('\n').count();
        if let Some(after) = trimmed.strip_prefix(',') {
            if after_comma || previous_connector {
                break;
            }
            after_comma = true;
            at = text.len() - after.len();
            continue;
        }
        let length = trimmed
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | ')' | '('))
            .unwrap_or(trimmed.len());
        let word = &trimmed[..length];
        if word.is_empty() || gap.is_empty() && !after_comma {
            break;
        }
        let lower = word.trim_end_matches('.').to_lowercase();
        let connector = matches!(lower.as_str(), "of" | "for" | "the" | "and" | "at" | "in" | "&");
        // A caption has `FOR THE FIRST CIRCUIT` on a separate line after an empty one.
        if connector && matches!(lower.as_str(), "for" | "of" | "at") {
            lines = lines.saturating_sub(2);
        }
        if direction_follows(trimmed) {
            lines = lines.saturating_sub(2);
        }
        let dangling = after_connector && previous_connector;
        // A reporter's caption breaks after the comma: `Bankruptcy Court,⏎D. Delaware`.
        let listed = after_comma && place_like(trimmed);
        let continued = connector || dangling || listed || continues_name(trimmed);
        if lines > 1 || (lines == 1 && !continued) {
            break;
        }
        let capital = word.starts_with(|c: char| c.is_uppercase() || c == '\'' || c == '‘')
            || word.starts_with(|c: char| c.is_ascii_digit())
                && (lower.ends_with("th")
                    || lower.ends_with("st")
                    || lower.ends_with("nd")
                    || lower.ends_with("rd"));
        let word_end = text.len() - trimmed.len() + length;
        if connector && !after_comma {
            // Another court may follow: `the Kerala High Court and the Madras High Court`.
            if lower == "and" && words == 0 {
                break;
            }
            // `in` continues a name only as `in and for`.
            if lower == "in" && !text[word_end..].trim_start().starts_with("and ") {
                break;
            }
            after_connector = true;
            previous_connector = true;
            at = word_end;
            words += 1;
            continue;
        }
        if !capital
            || (after_comma && !place_like(trimmed))
            || (!after_connector && !after_comma && !continues_name(trimmed))
        {
            break;
        }
        end = word_end;
        at = word_end;
        words += 1;
        after_comma = false;
        previous_connector = false;
        if word.ends_with(['"', '”']) {
            end -= word.chars().next_back().map_or(0, char::len_utf8);
            break;
        }
        // Text after a place without a connector is another sentence or line.
        after_connector =
            after_connector && !ends_name(word) || continues_name(trimmed) || is_direction(word);
        if word.ends_with('.') && !super::tables::words::is_abbreviation(word) {
            end -= 1;
            break;
        }
    }
    let name = text[..end].trim_end_matches(['.', ',', ' ']);
    // The dot of `N.Y.` is kept, a full stop is removed.
    if text[..end].ends_with('.')
        && name.rsplit(char::is_whitespace).next().is_some_and(|w| w.contains('.') || w.len() <= 4)
    {
        end
    } else {
        name.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        courts(text)
            .into_iter()
            .map(|m| (m.text.split_whitespace().collect::<Vec<_>>().join(" "), m.normal))
            .collect()
    }

    #[test]
    fn captions_and_prose() {
        let text = "UNITED STATES COURT OF APPEALS\n\n          FOR THE FIRST CIRCUIT\n\n\nNo. 1";
        assert_eq!(
            found(text),
            [("UNITED STATES COURT OF APPEALS FOR THE FIRST CIRCUIT".into(), "ca1".into())]
        );
        let text = "UNITED STATES DISTRICT COURT\nCENTRAL DISTRICT OF CALIFORNIA\n\nROE";
        assert_eq!(found(text)[0].1, "cacd");
        assert_eq!(
            found("Appeal from the Superior Court, Onslow County. The District Court erred.").len(),
            1
        );
        assert_eq!(found("Court of Appeals of Michigan.")[0].1, "michctapp");
        assert_eq!(
            found("In the High Court Of Karnataka At Bengaluru\n\n Writ")[0].0,
            "High Court Of Karnataka At Bengaluru"
        );
    }

    #[test]
    fn docket_sheets_name_the_state_first() {
        let sheet =
            "U.S. District Court\nCalifornia Northern District (San Francisco)\nCIVIL DOCKET";
        assert_eq!(found(sheet)[0].1, "cand");
        assert_eq!(found("U.S. Bankruptcy Court\nDistrict of Delaware (Delaware)\n")[0].1, "deb");
        assert_eq!(found("US District Court for the Western District of Texas\n")[0].1, "txwd");
    }

    #[test]
    fn the_document_says_whose_court_is_meant() {
        let keys = |text| found(text).into_iter().map(|(_, key)| key).collect::<Vec<_>>();
        let federal =
            "UNITED STATES DISTRICT COURT\nDISTRICT OF UTAH\n\nThe Supreme Court held so.";
        assert_eq!(keys(federal), ["utd", "scotus"]);
        let state = "Superior Court of Pennsylvania.\n\nThe Orphans' Court of Berks County ruled. The Supreme Court held.";
        let state = keys(state);
        assert_eq!(state, ["pasuperct", "paorphctberks", "pa"]);
        let indian = "In the High Court of Kerala at Ernakulam. The Hon'ble Supreme Court held so.";
        assert_eq!(keys(indian)[1], "in/supreme");
    }

    #[test]
    fn a_court_that_could_be_any_is_not_named() {
        assert!(found("The District Court held so. This High Court").is_empty());
    }
}

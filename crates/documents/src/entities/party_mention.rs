//! Mentions of parties: a place in the text becomes one if it reads as a name.

use super::captions::{ROLE_WORD, is_border, is_role_line};
use super::party_names::names_of_side;
use super::persons::normal_name;
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    /// A role at the end of a name: `, Appellee,` or `....Petitioner` or `---Appellants`.
    role_pattern,
    format!(
        r"(?i)(?P<lead>,|\.{{2,}}|…+|-{{2,}}|\s{{2,}}|\n|\]|\t|^)\s*(?:(?:the|sole|and)[\s-]+)*(?P<role>(?:(?:cross|counter|third[- ]party|intervenor)[\s-]+)?{ROLE_WORD}(?:\(?s\)?|/s)?(?:(?:\s*[-–/,\u{{a0}}]\s*(?:and\s+)?|\s+and\s+)(?:(?:cross|counter|third[- ]party)[-\s]+)?{ROLE_WORD}(?:\(?s\)?)?){{0,3}})(?:\s*(?:nos?\.?\s*)?\d+)?\s*(?:[.,;:)]|\n|$|\s{{2,}}|\bv\b|in\b)"
    )
);
/// The most bytes of one side that are read. A caption's side is shorter; a longer one would cost its square.
const LONGEST_SIDE: usize = 4_000;

/// A role at the end of a name.
pub(super) fn role_regex() -> &'static regex::Regex {
    role_pattern()
}

/// A role in lower case and the singular.
pub(super) fn role_name(role: &str) -> String {
    let lower = role.to_lowercase();
    let joined = lower
        .split(|c: char| c.is_whitespace() || c == '\u{a0}')
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let joined = joined.replace("(s)", "").replace("/s", "");
    joined
        .split_inclusive(['-', '/', ',', ' '])
        .map(|part| {
            let end = part.trim_end_matches(['-', '/', ',', ' ']);
            let rest = &part[end.len()..];
            let single = end
                .strip_suffix('s')
                .filter(|cut| !cut.ends_with('u') && cut.len() > 3)
                .unwrap_or(end);
            format!("{single}{rest}")
        })
        .collect::<String>()
        .trim_matches([' ', ','])
        .to_owned()
}

/// Adds the names in `start..end`, without numbers, descriptions and the caption's right column.
pub(super) fn add_names(
    text: &str,
    start: usize,
    end: usize,
    role: &str,
    found: &mut Vec<Mention>,
) {
    let Some(block) = text.get(start..end) else { return };
    add_names_of(text, start, block, role, found);
}

/// Adds the names in a block that begins at `start` of the text, and in which blanks may stand for a part of it.
pub(super) fn add_names_of(
    text: &str,
    start: usize,
    block: &str,
    role: &str,
    found: &mut Vec<Mention>,
) {
    let block = &block[..block.floor_char_boundary(LONGEST_SIDE)];
    for (from, to) in names_of_side(block) {
        add_name(text, start + from, &block[from..to], role, found);
    }
}

fn add_name(text: &str, at: usize, name: &str, role: &str, found: &mut Vec<Mention>) {
    let edge = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                ',' | ';' | ':' | '-' | '–' | '*' | '_' | ')' | ']' | '|' | '…' | '“' | '"' | '¶'
            )
    };
    let lead = name_start(name);
    let lead = lead + name[lead..].len()
        - name[lead..].trim_start_matches(|c: char| edge(c) || c == '.').len();
    let mut trimmed =
        name[lead..].trim_end_matches(edge).trim_end_matches("...").trim_end_matches(edge);
    // The bracket at the end belongs to the name if it opens in it: `Roe (A Society)`.
    let after = name[lead + trimmed.len()..].starts_with(')')
        && trimmed.contains('(')
        && !trimmed.contains(')');
    if after {
        trimmed = &name[lead..lead + trimmed.len() + 1];
    }
    let mut start = at + lead;
    for prefix in [
        "Title:", "IN RE:", "In re:", "IN RE ", "In re ", "The ", "THE ", "M/s.", "M/s", "M/S.",
        "Mr.", "Mrs.", "Ms.", "Smt.", "Shri ", "Sri ", "Pt. ", "Dr.", "and ", "AND ",
    ] {
        if let Some(rest) = trimmed.strip_prefix(prefix) {
            let rest_trimmed = rest.trim_start();
            start += trimmed.len() - rest_trimmed.len();
            trimmed = rest_trimmed;
        }
    }
    for tail in [" and", " AND"] {
        trimmed = trimmed.strip_suffix(tail).map_or(trimmed, |head| head.trim_end_matches(edge));
    }
    // A heading of a paper, not a name.
    let first =
        trimmed.split_whitespace().next().unwrap_or_default().to_lowercase().replace('’', "'");
    if first.starts_with("plaintiff")
        || first.starts_with("defendant")
        || matches!(
            first.as_str(),
            "slip" | "date:" | "notice" | "memorandum" | "hearing" | "time:" | "judge:"
        )
    {
        return;
    }
    // A sworn statement begins: `I, Ann Roe, declare`.
    if trimmed.starts_with("I, ") {
        return;
    }
    // Another case is cited.
    if [" v. ", " vs. ", " V. "].iter().any(|versus| trimmed.contains(versus))
        && trimmed.split_whitespace().count() > 3
    {
        return;
    }
    // A postal code ends an address.
    let digits = trimmed
        .trim_end_matches('.')
        .chars()
        .rev()
        .take_while(|c| c.is_ascii_digit() || *c == ' ' || *c == '-')
        .filter(char::is_ascii_digit);
    if digits.count() >= 5 {
        return;
    }
    // A name takes one or two lines; a paragraph is not a name.
    let words = trimmed.split_whitespace().count();
    let letters = trimmed.chars().filter(|c| c.is_alphabetic()).count();
    if letters < 2
        || words > 26
        || trimmed.len() > 260
        || !trimmed.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
    {
        return;
    }
    if is_border(trimmed) && words < 5 || is_role_line(trimmed) {
        return;
    }
    let lower = trimmed
        .split_whitespace()
        .filter(|w| w.starts_with(|c: char| c.is_lowercase()) && w.len() > 3)
        .count();
    if lower * 2 > words {
        return;
    }
    // A full stop is not part of the name, but the dot of `Ltd.` and `U.P.` is.
    let last = trimmed.rsplit(char::is_whitespace).next().unwrap_or(trimmed);
    if trimmed.ends_with('.') && !super::tables::words::is_abbreviation(last) {
        trimmed = &trimmed[..trimmed.len() - 1];
    }
    // A name continues after a line without a comma at its end; after a comma the address begins.
    if let Some(cut) = trimmed.find(",\n").or_else(|| trimmed.find(", \n")) {
        let rest = trimmed[cut + 1..].trim_start();
        if !rest.starts_with(|c: char| c.is_lowercase()) && !is_suffix(rest) {
            trimmed = &trimmed[..cut];
        }
    }
    let end = start + trimmed.len();
    if text.get(start..end).is_some() {
        let mention = Mention::new(EntityKind::Party, text, start, end, normal_name(trimmed));
        found.push(mention.with_role(role));
    }
}

/// Where the name begins: after a bracket that opens before it, a docket number, and the title of the paper.
fn name_start(name: &str) -> usize {
    let mut start = match (name.find([')', ']']), name.find(['(', '['])) {
        (Some(close), open) if open.is_none_or(|open| close < open) => close + 1,
        _ => 0,
    };
    loop {
        let rest = name[start..].trim_start_matches(|c: char| !c.is_alphanumeric());
        let from = name.len() - rest.len();
        let word = rest.split_whitespace().next().unwrap_or_default();
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let number = word.contains(|c: char| c.is_ascii_digit()) && word.contains([':', '-']);
        let title = TITLES.contains(&bare.as_str())
            && rest[word.len()..].trim_start_matches([' ', '\t']).starts_with('\n');
        let next = rest[word.len()..].split_whitespace().next().unwrap_or_default();
        let label = matches!(bare.as_str(), "case" | "no" | "nos" | "docket" | "re")
            && (next.contains(|c: char| c.is_ascii_digit())
                || next.to_lowercase().starts_with("no"));
        if !number && !title && !label || word.len() >= rest.len() {
            return start;
        }
        start = from + word.len();
    }
}

/// Titles of papers that stand above a caption.
const TITLES: [&str; 8] =
    ["complaint", "order", "opinion", "judgment", "memorandum", "petition", "answer", "motion"];

/// Whether a suffix such as `Inc.` or `LLC` continues a name after a comma.
fn is_suffix(text: &str) -> bool {
    const SUFFIXES: &str = " inc llc ltd llp l.l.c p.c p.a n.a jr sr ii iii co corp corporation ";
    let word = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    SUFFIXES.contains(&format!(" {} ", word.trim_end_matches([',', '.'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_of_any_length_is_read_to_a_bound() {
        for text in ["Roe Inc and ".repeat(100_000), "R\u{f3}e Inc and ".repeat(100_000)] {
            let mut found = Vec::new();
            add_names(&text, 0, text.len(), "plaintiff", &mut found);
            assert!((300..400).contains(&found.len()), "{}", found.len());
        }
    }
}

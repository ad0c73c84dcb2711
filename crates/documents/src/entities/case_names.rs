//! Names of cases: the parties around a `v.`, or the subject after `In re`.

use super::case_captions::{PREAMBLE, is_caption, is_role};
use super::initials::Initials;
use super::legal_forms::is_legal_form;
use super::tables::words::{CONNECTORS, SIGNALS, is_abbreviation};
use crate::static_regex::static_regex;

/// A case name found in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CaseName {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) plaintiff: Option<String>,
    pub(super) defendant: Option<String>,
}

static_regex!(
    versus_regex,
    r"(?:^|[\s,\x{200b}])(?:(?:v|vs|V|VS|Vs)\.?|[Vv]/[Ss]\.?|[-–]\s?[Vv][Ss]\.?\s?[-–])\s|\s(?:versus|Versus|VERSUS)\s|\bv\.(?:[A-Z])"
);
static_regex!(
    in_re_regex,
    r"\b(?:In\s+re:?|IN\s+RE:?|In\s+the\s+Matter\s+of|Matter\s+of|Ex\s+parte|EX\s+PARTE|Estate\s+of|In\s+the\s+Interest\s+of|Application\s+of|Petition\s+of)\s+"
);

/// Maximum distance of a case's name before its citation, in bytes.
const WINDOW: usize = 300;

/// The case name that ends where a citation starts, if any; `floor` is the end of the previous citation.
pub(super) fn name_before(
    text: &str,
    citation: usize,
    floor: usize,
    initials: &Initials,
) -> Option<CaseName> {
    let from = text.floor_char_boundary(citation.saturating_sub(WINDOW)).max(floor);
    let window = text.get(from..citation)?;
    let trimmed = strip_before_citation(window);
    let versus = versus_regex()
        .find_iter(trimmed)
        .filter(|v| !initials.has(&trimmed[..v.start()], &trimmed[v.end()..]))
        .last();
    // `In re Estate of Doe` is one name: what follows the first of adjoining openings belongs to it.
    let mut re: Option<regex::Match<'_>> = None;
    for opening in in_re_regex().find_iter(trimmed) {
        if re.is_none_or(|before| before.end() < opening.start()) {
            re = Some(opening);
        }
    }
    match (versus, re) {
        (Some(versus), re) if re.is_none_or(|re| re.start() < versus.start()) => {
            let defendant_at = versus.end()
                - usize::from(trimmed[..versus.end()].ends_with(|c: char| c.is_uppercase()));
            let defendant = &trimmed[defendant_at..];
            if !is_name(defendant) {
                return None;
            }
            let plaintiff_at = plaintiff_start(&trimmed[..versus.start()])?;
            let plaintiff = clean(&trimmed[plaintiff_at..versus.start()]);
            Some(CaseName {
                start: from + plaintiff_at,
                end: from + trimmed.len(),
                plaintiff: (!plaintiff.is_empty()).then_some(plaintiff),
                defendant: Some(clean(defendant)),
            })
        }
        (_, Some(re)) => {
            let subject = &trimmed[re.end()..];
            is_name(subject).then(|| CaseName {
                start: from + re.start(),
                end: from + trimmed.len(),
                plaintiff: None,
                defendant: Some(clean(subject)),
            })
        }
        _ => None,
    }
}

/// Case names without a citation: `Roe v. Doe` in running text. `taken` are spans already used.
pub(super) fn bare_names(
    text: &str,
    taken: &[(usize, usize)],
    initials: &Initials,
) -> Vec<CaseName> {
    let mut found: Vec<CaseName> = Vec::new();
    let mut next = 0;
    for versus in versus_regex().find_iter(text) {
        let (before, after) =
            (versus.start().saturating_sub(60), (versus.end() + 60).min(text.len()));
        let before = &text[text.floor_char_boundary(before)..versus.start()];
        if initials.has(before, &text[versus.end()..text.ceil_char_boundary(after)]) {
            continue;
        }
        while next < taken.len() && taken[next].1 <= versus.start() {
            next += 1;
        }
        if taken.get(next).is_some_and(|(start, _)| *start <= versus.end()) {
            continue;
        }
        let floor = found.last().map_or(0, |name| name.end);
        let from = text.floor_char_boundary(versus.start().saturating_sub(WINDOW / 2)).max(floor);
        let Some(before) = text.get(from..versus.start()) else { continue };
        let Some(plaintiff_at) = plaintiff_start(before) else { continue };
        let to = text.floor_char_boundary((versus.end() + WINDOW / 2).min(text.len()));
        let defendant_at =
            versus.end() - usize::from(text[..versus.end()].ends_with(|c: char| c.is_uppercase()));
        let length = defendant_length(&text[defendant_at..to]);
        let (plaintiff, defendant) =
            (clean(&before[plaintiff_at..]), clean(&text[defendant_at..defendant_at + length]));
        // `.... Appellants Versus State`: a caption, whose parties stand elsewhere.
        let role = plaintiff.split(' ').next_back().is_some_and(is_role);
        if plaintiff.is_empty() || defendant.is_empty() || role {
            continue;
        }
        if from + plaintiff_at < PREAMBLE && is_caption(&text[defendant_at + length..]) {
            continue;
        }
        let others = others_regex().find(&text[defendant_at + length..]).map_or(0, |o| o.end());
        found.push(CaseName {
            start: from + plaintiff_at,
            end: defendant_at + length + others,
            plaintiff: Some(plaintiff),
            defendant: Some(defendant),
        });
    }
    found
}

static_regex!(
    /// A year in parentheses or a star page between a name and its citation.
    between_regex,
    r"(?:[\[(][^()\[\]]{0,40}?(?:1[6-9]\d\d|20\d\d)\s?[\])]|\*\s?\d{1,5}|,\s*supra|[-_—]{2,}\s+[A-Z][A-Za-z.\s]{0,12}?\s*[-_—]{2,}|\d{2,4}-\d{3,5},\s*(?:p\.|pp\.)\s*\d+\s*\([^)]{0,40}\))[\s,]*$"
);

static_regex!(
    /// Titles, forms and places in parentheses at the end of a name's head.
    inside_regex,
    r"\((?:Dr|Retd|India|P|Pvt|Regd|D|Dead|Smt|Mrs?|Minor|Civil|NCT\sof\sDelhi|UK|USA|U\.K\.|U\.S\.A\.|U\.S\.|Canada|Bombay|Madras|Delhi)\.?\)$"
);
static_regex!(
    /// Further parties that a name does not list.
    others_regex,
    r"^,?\s{1,20}(?:and|&)\s{1,20}(?:[Oo]thers?|[Aa]nother|[Oo]rs|[Aa]nr)\b\.?"
);

static_regex!(
    /// A docket number behind a name.
    docket_regex,
    r"(?:,\s{1,20}\d{1,2}(?:st|nd|rd|th|d)\sDist\.(?:\s[A-Z][a-z]+)?|,)\s{1,20}(?:C(?:ase|iv(?:il)?\.?(?:\s?A(?:ction|\.))?|v\.)\s{1,20})?(?:Docket\s{1,20})?Nos?\.\s?[\w:/.–-]{2,30}(?:(?:,|\s&|\sand)\s[\w:/.–-]{2,30}){0,3}(?:\s\([A-Z]{2,4}\)){0,3},?$"
);

/// Removes from the end text that may be between a name and its citation.
fn strip_before_citation(window: &str) -> &str {
    let edge = |c: char| {
        c.is_whitespace() || matches!(c, ',' | '_' | '*' | '[' | '(' | '\u{200b}' | '"' | '”' | '’')
    };
    let mut window = window.trim_end_matches(edge);
    // The docket number of an unpublished decision: `, No. 12-cv-345`, `, 10th Dist. Franklin No. 12AP-34`.
    if let Some(docket) = docket_regex().find(window) {
        window = window[..docket.start()].trim_end_matches(edge);
    }
    // No reference has more of these than a reported place, a page and a year.
    for _ in 0..6 {
        let length = window.len();
        for opener in ["reported in", "reported as", "reported at", "since reported in", "at"] {
            if let Some(cut) = window.strip_suffix(opener)
                && !cut.ends_with(char::is_alphanumeric)
            {
                window = cut.trim_end_matches(edge);
            }
        }
        if let Some(found) = between_regex().find(window) {
            window = window[..found.start()].trim_end_matches(edge);
        }
        if window.len() == length {
            break;
        }
    }
    window
}

/// Whether all of `text` can be one party's name: no sentence ends in it.
fn is_name(text: &str) -> bool {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.len() > 200 || trimmed.contains([';', '?', '!', '\u{c}']) {
        return false;
    }
    let mut words = trimmed.split_whitespace().peekable();
    let Some(first) = words.peek() else { return false };
    if !first.starts_with(|c: char| {
        c.is_uppercase() || c.is_ascii_digit() || matches!(c, '“' | '"' | '$')
    }) {
        return false;
    }
    let mut lower = 0;
    while let Some(word) = words.next() {
        if word.ends_with('.') && words.peek().is_some() && !is_abbreviation(word) {
            return false;
        }
        let plain = word.trim_matches([',', '.', '(', ')']);
        if plain.starts_with(|c: char| c.is_lowercase()) && !CONNECTORS.contains(&plain) {
            lower += 1;
        }
    }
    lower <= 1
}

/// Where the plaintiff's name starts in the text before a `v.`; `None` if there is no name.
fn plaintiff_start(before: &str) -> Option<usize> {
    let trimmed =
        before.trim_end_matches(|c: char| c.is_whitespace() || c == ',' || c == '\u{200b}');
    // Goes back word by word while the words can belong to a name.
    let mut start = None;
    let mut edge = trimmed.len();
    let mut count = 0;
    while edge > 0 && count < 24 {
        let head = trimmed[..edge].trim_end();
        let gap = &trimmed[head.len()..edge];
        // An empty line ends a name, except in double-spaced typescript.
        if gap.matches('\n').count() > 1 && count > 0 && !head.ends_with([',', '&']) {
            break;
        }
        let word_at = head
            .rfind(char::is_whitespace)
            .map_or(0, |at| at + head[at..].chars().next().map_or(1, char::len_utf8));
        let word = &head[word_at..];
        if word.is_empty() {
            break;
        }
        let plain = word.trim_matches(['“', '”', '"', '(', ')', '[', ']', ',', '‘', '*', '_']);
        let lower = plain.to_lowercase();
        let bare = lower.trim_end_matches('.');
        let capital = plain.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
        // `Alder Mills (India) Ltd.`: what stands in parentheses belongs to the name.
        if let Some(inside) = inside_regex().find(head) {
            edge = inside.start();
            count += 1;
            continue;
        }
        if word.ends_with([';', ':', '?', '!', ')', ']', '”', '—'])
            && count > 0
            && !word.ends_with("s)")
        {
            break;
        }
        if count > 0 && word.ends_with('.') && !is_abbreviation(word) {
            break;
        }
        if SIGNALS.contains(&bare)
            && !(CONNECTORS.contains(&bare) && plain.starts_with(char::is_lowercase))
        {
            break;
        }
        if !capital && !CONNECTORS.contains(&bare) && plain != "&" {
            break;
        }
        edge = word_at;
        count += 1;
        if capital {
            start = Some(edge + word.find(plain).unwrap_or(0));
        }
        if word.starts_with(['(', '“', '"', '[', '‘']) {
            break;
        }
    }
    // A name is cited without the article before it.
    let start = start?;
    let name = &trimmed[start..];
    Some(start + if name.starts_with("The ") { "The ".len() } else { 0 })
}

/// Length of the defendant's name at the start of `after`, in bytes.
fn defendant_length(after: &str) -> usize {
    let mut length = 0;
    let mut position = 0;
    let mut previous_comma = false;
    for word in after.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let start = position;
        position += word.len();
        if bare.is_empty() {
            if length > 0 && after[..position].ends_with("\n\n") {
                break;
            }
            continue;
        }
        let plain =
            bare.trim_matches(['“', '”', '"', '(', ')', '[', ']', ',', '‘', '’', '.', ';', ':']);
        let lower = plain.to_lowercase();
        let capital = plain.starts_with(|c: char| c.is_uppercase());
        let suffix =
            is_legal_form(&lower.replace('.', "")) || matches!(lower.as_str(), "jr" | "sr" | "et");
        if (previous_comma && !suffix) || lower == "supra" {
            break;
        }
        if capital && lower == "for" {
            break;
        }
        let connects = length > 0 && CONNECTORS.contains(&lower.as_str());
        if !capital && !connects {
            break;
        }
        let name_end =
            start + bare.trim_end_matches([',', ';', ':', ')', ']', '”', '"', '?']).len();
        if capital || lower == "al" {
            length = name_end;
        }
        if bare.ends_with([';', ':', ')', ']', '”', '?'])
            || (bare.ends_with('.') && !is_abbreviation(bare))
        {
            break;
        }
        previous_comma = bare.ends_with(',');
    }
    let name = after[..length].trim_end();
    // A full stop is not part of the name.
    match name.strip_suffix('.') {
        Some(cut) if !is_abbreviation(name.rsplit(char::is_whitespace).next().unwrap_or(name)) => {
            cut.len()
        }
        _ => name.len(),
    }
}

/// A name on one line, without quotes and commas at its ends.
fn clean(name: &str) -> String {
    let joined = name.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.trim_matches([' ', ',', ';', '“', '”', '"', '(', '[', '_', '*', '\u{200b}']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(text: &str) -> Option<(String, String)> {
        name_before(text, text.len(), 0, &Initials::default())
            .map(|name| (name.plaintiff.unwrap_or_default(), name.defendant.unwrap_or_default()))
    }

    fn pair(a: &str, b: &str) -> Option<(String, String)> {
        Some((a.to_owned(), b.to_owned()))
    }

    #[test]
    fn names_stop_at_signals_and_sentences() {
        assert_eq!(before("It failed. See Roe v. Doe, "), pair("Roe", "Doe"));
        assert_eq!(
            before("as in Acme Mfg. Co. v. United States, "),
            pair("Acme Mfg. Co.", "United States")
        );
        assert_eq!(before("bob Roe v. Doe "), pair("Roe", "Doe"));
        assert_eq!(
            before("(citing State ex rel. Roe v. Bd. of Educ., "),
            pair("State ex rel. Roe", "Bd. of Educ.")
        );
        assert_eq!(before("See In re K.F. (2009) "), pair("", "K.F."));
        assert_eq!(before("Roe v. Doe. He was wrong, as "), None);
    }

    #[test]
    fn bare_names_end_with_the_name() {
        let text = "We follow Roe v. Acme Corp. and hold so. Under Doe v. Smith, the rule stands.";
        let names: Vec<_> = bare_names(text, &[], &Initials::default())
            .iter()
            .map(|n| text[n.start..n.end].to_owned())
            .collect();
        assert_eq!(names, ["Roe v. Acme Corp.", "Doe v. Smith"]);
    }
}

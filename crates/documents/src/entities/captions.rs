//! Finds the two sides of a caption around its `v.`, and their left column.

use crate::static_regex::static_regex;

/// Words for roles of parties.
pub(super) const ROLE_WORD: &str = r"(?:plaintiff|defendant|appellant|appellee|petitioner|respondent|claimant|debtor|intervenor|applicant|movant|relator|revisionist|complainant|accused|garnishee|creditor|opposite\s+part(?:y|ies)|interested\s+party|cross-\w+|third[- ]party\s+\w+|real\s+part(?:y|ies)\s+in\s+interest|realtor|objector|amicus\s+curiae)";

static_regex!(
    /// Lines that end a caption above or below the parties.
    border_regex,
    r"(?ix)^\W*(?:[^\n]{0,60}\bnos?\.?\s?-?\s?\d|(?:case|docket|civil|criminal|record|appeal|misc|cause|index)?\s*(?:action|docket|appeal)?\s*(?:nos?\b\.?|number|\#)|in\s+the\s+|for\s+the\s+|(?:(?:northern|southern|eastern|western|central|middle)\s+)?district\s+of\b|(?:northern|southern|eastern|western|central|middle)\s+(?:district|division)\W*$|division\b|[^\n]{1,40}\bdivision\W*$|before\b|between\b|and\s*$|united\s+states\s+(?:court|district|bankruptcy)|.*\bcourt\b.*|appeal\s+from|on\s+(?:appeal|writ|petition|discretionary)|certiorari|argued|decided|filed|submitted|dated?\b|coram|present|judgment|j\s?u\s?d\s?g|order|opinion|counsel|appear|attorney|memorandum|(?:january|february|march|april|may|june|july|august|september|october|november|december)\s+\d|\d{1,2}[./-]\d{1,2}[./-]|syllabus|status\s*:|title\s*:\s*$|plaintiffs?,?$|with\s*$|for\s+(?:the\s+)?(?:petitioner|appellant)|hon|lower\s+ct|docketed|appellate\s+jurisdiction|.*jurisdiction\s*$|crl?\.|w\.?p\.?|report)"
);
static_regex!(
    /// Words that begin a heading or go on with a name: `Secretary to the⏎Hon'ble President`.
    soft_border_regex,
    r"(?i)^\W*(?:hon|present|report|counsel|order|judg|opinion|appear|attorney|memorandum|before|submitted|with\b|for\s+the|in\s+the|division|district\s+of)"
);
static_regex!(
    versus_line_regex,
    r"(?m)^[ \t]*(?:-\s?(?i:against)\s?-|-?\s?(?i:v|vs|versus|and)[.,:s]*-?)(?:[ \t]*[-:)\]][^\n]*|(?:[ \t]{3,}|\t)[^\n]*)?[ \t]*$|\bVersus\b"
);
static_regex!(
    role_line_regex,
    format!(
        r"(?i)^(?P<role>(?:third[- ]party\s+|cross[- ]?|counter[- ]?|intervenor\s+|interested\s+|consolidated\s+)?(?:{ROLE_WORD}|party)(?:\(?s\)?)?(?:(?:\s*[-–/,\u{{a0}}]\s*|\s+and\s+)(?:(?:cross|counter|third[- ]party)[-\s]+)?{ROLE_WORD}s?){{0,3}})[,.;]?$"
    )
);

/// Maximum extent of a caption from its `v.`, in lines and bytes.
const MAX_LINES: usize = 40;

/// Every `v.` on a separate line.
pub(super) fn versus_lines(text: &str) -> impl Iterator<Item = regex::Match<'_>> {
    versus_line_regex().find_iter(text)
}

/// Whether a line ends a caption: a court, a docket number, a date, a heading.
pub(super) fn is_border(line: &str) -> bool {
    border_regex().is_match(line)
}

/// Whether a line consists only of a role.
pub(super) fn is_role_line(line: &str) -> bool {
    role_line_regex().is_match(line)
}

/// The lines above a `v.` that belong to its caption.
pub(super) fn block_above(text: &str, versus: usize) -> (usize, usize) {
    let mut start = versus;
    let mut lines = 0;
    let mut blanks = 0;
    let mut some = false;
    while start > 0 && lines < MAX_LINES && versus - start < 4000 {
        // The `v.` may stand inside a line, so the character before it need not end a line.
        let above = text[..start].strip_suffix('\n').unwrap_or(&text[..start]);
        let line_start = above.rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..start].trim();
        if line.is_empty() {
            blanks += 1;
            // Three empty lines separate a caption from the text above it.
            if blanks > 3 {
                break;
            }
        } else {
            let line = left_part(line);
            // The line next to the `v.` is a name, also if it begins as a heading: `ATTORNEY GENERAL OF …`.
            let heading = some && border_regex().is_match(line);
            let border = heading || is_rule(line) || versus_line_regex().is_match(line);
            if border && !role_line_regex().is_match(line) {
                break;
            }
            some |= !role_line_regex().is_match(line);
            blanks = 0;
        }
        start = line_start;
        lines += 1;
        if start == 0 {
            break;
        }
    }
    (start, versus)
}

/// The lines below a `v.` that belong to its caption.
pub(super) fn block_below(text: &str, versus: usize) -> (usize, usize) {
    let mut end = versus;
    let mut blanks = 0;
    let mut some = false;
    // The line before goes on: it ends in a comma or a word.
    let mut goes_on = false;
    for line in text[versus..].split_inclusive('\n').take(MAX_LINES + 1) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            blanks += usize::from(some);
            goes_on = false;
            if blanks > 3 {
                break;
            }
        } else {
            let trimmed = left_part(trimmed);
            let border = border_regex().is_match(trimmed)
                || is_rule(trimmed)
                || versus_line_regex().is_match(trimmed);
            let soft = goes_on && soft_border_regex().is_match(trimmed);
            goes_on = trimmed.ends_with(|c: char| c == ',' || c.is_alphabetic())
                && !role_line_regex().is_match(trimmed);
            if some && border && !soft && !role_line_regex().is_match(trimmed) {
                break;
            }
            if some && trimmed.len() > 400 {
                break;
            }
            blanks = 0;
            some = true;
        }
        end += line.len();
        if end - versus > 4000 {
            break;
        }
    }
    (versus, text.floor_char_boundary(end.min(text.len())))
}

fn is_rule(line: &str) -> bool {
    line.len() >= 4
        && line
            .chars()
            .all(|c| matches!(c, '=' | '_' | '-' | '*' | '–' | '—' | ' ' | '.' | 'x' | 'X'))
}

static_regex!(column_regex, r"[ \t]{3,}|\t|[ \t][)\]:|](?:[ \t]|$)|^[)\]:|][ \t]");
static_regex!(
    /// A role that fills the rest of a line, perhaps with others: `…Defendant and Appellant.`
    right_role_regex,
    format!(
        r"(?i)^[\s.…\])|:-]*(?:{ROLE_WORD})(?:[\s/,&()s-]|\d|and\b|no\.|nos\.|in\b|person\b|error\b|cross|counter|third|party|{ROLE_WORD})*[\s.;:…]*$"
    )
);

/// The caption with its right column replaced by blanks, so that offsets stay valid: `ROE,   )   No.
/// 7` keeps `ROE,`.
pub(super) fn left_column(block: &str) -> String {
    let mut out = String::with_capacity(block.len());
    for line in block.split_inclusive('\n') {
        let lead = line.len() - line.trim_start().len();
        let cut = column_start(&line[lead..]).map(|cut| lead + cut);
        match cut {
            // A role may be at the right edge: `Roe        …Petitioner`.
            Some(cut) if !right_role_regex().is_match(&line[cut..]) => {
                out.push_str(&line[..cut]);
                for c in line[cut..].chars() {
                    if c == '\n' {
                        out.push(c);
                    } else {
                        out.extend(std::iter::repeat_n(' ', c.len_utf8()));
                    }
                }
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// Where the right column begins; the number of an item is not a column of its own.
fn column_start(line: &str) -> Option<usize> {
    column_regex().find_iter(line).map(|gap| gap.start()).find(|cut| {
        let before = line[..*cut].trim();
        before.is_empty()
            || !before.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ')' | '('))
    })
}

/// The left column of a line, which decides whether the caption ends there.
fn left_part(line: &str) -> &str {
    match column_start(line) {
        Some(cut) if cut > 0 => line[..cut].trim_end(),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_versus_inside_a_line_may_follow_any_character() {
        for text in ["Roe \u{2014}Versus Doe", "Roe\u{a0}Versus Doe", "Ann Roe\n\u{2014}Versus Doe"]
        {
            let versus: Vec<usize> = versus_lines(text).map(|found| found.start()).collect();
            assert_eq!(versus.len(), 1, "{text}");
            assert_eq!(block_above(text, versus[0]), (0, versus[0]), "{text}");
        }
    }
}

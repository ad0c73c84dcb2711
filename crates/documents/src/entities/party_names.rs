//! Splits one side of a caption into names: `ACME, INC., a Utopia corporation; JOHN ROE, in his official capacity`.

use super::legal_forms::ends_company;
use super::persons::is_person;
use crate::static_regex::static_regex;

static_regex!(number_regex, r"(?m)(?:^|\n|\s{2,}|\s\()[ \t]*(?:\d{1,3}|\d/\d{1,2})[.)][ \t]*");
static_regex!(blank_line_regex, r"\n[ \t]*\n");
static_regex!(
    address_regex,
    r"(?i)\b(?:[sdw]/o\b|r/o\b|aged?\s+about|h(?:ouse)?\s+no|road\b|nagar\b|marg\b|street\b|taluk\b|village\b|floor\b|post\s+office)|\d{3}\s?\d{3}\b"
);
static_regex!(split_regex, r"(?i),\s+and\s+|;\s*(?:and\s+)?|\n\s*and\s+|,?\s+ex\.?\s+rel\.?:?\s+");
static_regex!(and_regex, r"(?i)\s+and\s+");
static_regex!(
    /// A description after a party's name.
    description_regex,
    r"(?x)(?:\s*(?:&|\b(?i:and)\b)\s*(?i:ors|anr|\d+|others|another)\b|,?\s*\b(?i:et\s+(?:al|ux|vir)\b|individually|in\s+(?:his|her|their|its)\s|as\s+(?:trustee|representative|next|guardian|executor|administrator|personal|successor|parents?|mother|father|the\s|an?\s|assignee|receiver|subrogee)|on\s+(?:their\s+own\s+|his\s+own\s+|her\s+own\s+|its\s+own\s+)?behalf|for\s+(?:itself|himself|herself|themselves)|by\s+and\s+through|by\s+(?:his|her|their)\s+(?:next|guardian|mother|father|parent)|d/?b/?a\b|f/?k/?a\b|a/?k/?a\b|n/?k/?a\b|also\s+known|doing\s+business|formerly|an?\s+(?:individual|minor|infant)\b|an?\s+(?:\w+\s+){1,4}(?:corporation|company|partnership|llc|association|bank|individual|person|minor)|aged?\b|age\s*:|s/o|w/o|d/o|c/o|r/o|son\s+of|wife\s+of|daughter\s+of|resident|residing|rep(?:resented)?\s*\.?\s*by|reptd|through|having|occupation|lead\s+(?:petitioner|attorney)|dba\b|applicants?\b|petitioners?\b|respondents?\b|survivor\s+of|widow(?:er)?\s+of|heirs?\s+of|since\s+deceased|deceased\b|inclusive\b)|\(\s*(?:since|deceased|individually)|\s[)\]:|]|[\ \t]{3,}\S|\n\s*\(|\(now\b|\s@@|\(By\b|\(Rep)"
);

/// The names of one side, as places in `block`, without numbers and descriptions.
pub(super) fn names_of_side(block: &str) -> Vec<(usize, usize)> {
    let mut names = Vec::new();
    for (start, end) in parts(block) {
        let part = &block[start..end];
        let lead =
            part.len() - part.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '“').len();
        let before = names.len();
        let mut at = start + lead;
        let mut rest = &part[lead..];
        while let Some(split) = split_regex().find(rest) {
            listed(block, at, at + split.start(), &mut names);
            at += split.end();
            rest = &rest[split.end()..];
        }
        listed(block, at, end, &mut names);
        // The item of a list, or a name with an address, has one name; the commas are the address's.
        let numbered = block[..start].trim_end().ends_with(['.', ')']) && start > 0;
        if numbered || address_regex().is_match(part) {
            names.truncate(before + 1);
        }
    }
    names
}

/// The paragraphs and numbered items of a side.
fn parts(block: &str) -> Vec<(usize, usize)> {
    let numbers = number_regex().find_iter(block).map(|cut| (cut.start(), cut.end(), true));
    let blanks = blank_line_regex().find_iter(block).map(|cut| (cut.start(), cut.end(), false));
    let mut cuts: Vec<(usize, usize, bool)> = numbers.chain(blanks).collect();
    cuts.sort_unstable();
    let mut parts = Vec::new();
    let is_list = block
        .trim_start_matches(|c: char| !c.is_alphanumeric())
        .starts_with(|c: char| c.is_ascii_digit());
    let mut from = 0;
    for (start, end, numbered) in cuts {
        if start >= from {
            parts.push((from, start));
        }
        // A list of parties begins with a number; a later one is of claims: `1. Misappropriation of trade secrets`.
        let named = parts.iter().any(|(from, to)| !block[*from..*to].trim().is_empty());
        if numbered && named && !is_list {
            return parts;
        }
        // An empty line and the number below it overlap.
        from = from.max(end);
    }
    parts.push((from, block.len()));
    parts
}

/// The names of a list with commas and `and`: a comma begins another name only if both are whole names.
fn listed(block: &str, start: usize, end: usize, names: &mut Vec<(usize, usize)>) {
    let text = &block[start..end];
    let cut = description_regex().find(text).map_or(text.len(), |found| found.start());
    let head = &text[..cut];
    let capacity =
        text[cut..].trim_start_matches([',', ' ', '\n']).to_lowercase().starts_with("in ");
    let mut people = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let mut at = 0;
    for piece in head.split_inclusive(',') {
        let from = at;
        at += piece.len();
        let trimmed = piece.trim().trim_end_matches(',').trim_end();
        if trimmed.is_empty() {
            continue;
        }
        let lead = piece.len() - piece.trim_start().len();
        let span = (start + from + lead, start + from + lead + trimmed.len());
        if is_person(trimmed) && !is_place(trimmed) {
            people.push(span);
        }
        open = match open {
            None => Some(span),
            Some(name)
                if is_whole(&block[name.0..name.1])
                    && is_whole(trimmed)
                    && !trimmed.split_whitespace().next().is_some_and(has_legal_form) =>
            {
                joined(block, name, names);
                Some(span)
            }
            // An office or a rank after a person: `Ann Roe, Trustee`.
            Some(name) if is_person(&block[name.0..name.1]) && !continues(trimmed) => Some(name),
            // Goes on: `Inc.`, a place, an office.
            Some(name) => Some((name.0, span.1)),
        };
    }
    match open {
        // `SECRETARY OF STATE, ANN ROE, in her official capacity`: the person is sued, not the office beside the name.
        Some(_) if capacity && !people.is_empty() => names.append(&mut people),
        Some(name) => joined(block, name, names),
        None => {}
    }
    // After a description, another name may follow: `in his official capacity, JOHN ROE, …`.
    let after = &text[cut..];
    let described = description_regex().find(after).map_or(0, |found| found.end());
    let Some(comma) = after[described..].find(',').map(|at| described + at).filter(|_| cut > 0)
    else {
        return;
    };
    let mut at = start + cut + comma + 1;
    for piece in after[comma + 1..].split(',') {
        let trimmed = piece.trim();
        let capital = trimmed.starts_with(char::is_uppercase);
        if capital && is_person(trimmed)
            || capital && has_legal_form(trimmed) && trimmed.split_whitespace().count() > 1
        {
            let from = at + (piece.len() - piece.trim_start().len());
            names.push((from, from + trimmed.len()));
        }
        at += piece.len() + 1;
    }
}

/// Adds a name, or the names around each `and`.
fn joined(block: &str, name: (usize, usize), names: &mut Vec<(usize, usize)>) {
    let text = &block[name.0..name.1];
    let mut from = 0;
    for and in and_regex().find_iter(text) {
        let (left, right) = (&text[from..and.start()], &text[and.end()..]);
        if is_whole(left) && is_whole(right) || has_legal_form(left) {
            names.push((name.0 + from, name.0 + and.start()));
            from = and.end();
        }
    }
    names.push((name.0 + from, name.1));
}

/// Whether the text is a name by itself: a person, or a company with its legal form.
fn is_whole(text: &str) -> bool {
    let text = text.trim();
    has_legal_form(text) && text.split_whitespace().count() > 1
        || is_person(text) && !text.contains('\n') && !is_place(text)
}

/// Whether the text goes on with a name after a comma: a suffix, the form of a company.
fn continues(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    let suffix = matches!(
        first.trim_end_matches('.'),
        "Jr" | "Sr" | "JR" | "SR" | "II" | "III" | "IV" | "Esq" | "M"
    );
    suffix || has_legal_form(first) || has_legal_form(text) || is_place(text) || text.contains('&')
}

fn is_place(text: &str) -> bool {
    super::court_words::state_word(text).is_some()
        || text.ends_with(" City")
        || text.ends_with(" County")
}

/// Whether the name ends in the form of a company.
fn has_legal_form(text: &str) -> bool {
    let last = text.split_whitespace().next_back().unwrap_or_default();
    let bare: String =
        last.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    ends_company(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(block: &str) -> Vec<&str> {
        names_of_side(block).into_iter().map(|(start, end)| &block[start..end]).collect()
    }

    #[test]
    fn lists_are_split_where_names_are_whole() {
        assert_eq!(
            names("ACME, INC., a Utopia corporation; and ROE LLC"),
            ["ACME, INC.", "ROE LLC"]
        );
        assert_eq!(
            names("JOHN ROE, JANE POE, and DOE & SONS, L.P."),
            ["JOHN ROE", "JANE POE", "DOE & SONS, L.P."]
        );
        assert_eq!(names("BOARD OF PARKS AND RECREATION"), ["BOARD OF PARKS AND RECREATION"]);
        assert_eq!(
            names("Roe Masonry, Incorporated and Poe Mutual Insurance Company"),
            ["Roe Masonry, Incorporated", "Poe Mutual Insurance Company"]
        );
        assert_eq!(names("Town of Roe, New York"), ["Town of Roe, New York"]);
        assert_eq!(
            names(
                "ANN ROE, individually and as executrix of Bob Roe, deceased, CARL POE, and Moe Corp."
            ),
            ["ANN ROE", "CARL POE", "Moe Corp."]
        );
        assert_eq!(
            names(
                "JOHN ROE, in his official capacity as Sheriff, JANE POE, in her official capacity"
            ),
            ["JOHN ROE", "JANE POE"]
        );
        assert_eq!(
            names(
                "HEAD OF THE BUREAU, ANN ROE, in her official capacity, and BOB POE, GOVERNOR, in his official capacity"
            ),
            ["ANN ROE", "BOB POE"]
        );
        assert_eq!(names("STATE OF UTOPIA ex rel. ANN ROE"), ["STATE OF UTOPIA", "ANN ROE"]);
        assert_eq!(names("1. Hari Roe, aged 40\n2. Sita Poe, aged 30"), ["Hari Roe", "Sita Poe"]);
    }

    #[test]
    fn a_list_with_many_ands_is_read_without_recursion() {
        let text = "Roe Inc and ".repeat(100_000);
        let mut found = Vec::new();
        joined(&text[..1_000], (0, 1_000), &mut found);
        assert_eq!(found.len(), 84);
        assert_eq!(found[0], (0, 7));
        assert_eq!(found[1], (12, 19));
    }
}

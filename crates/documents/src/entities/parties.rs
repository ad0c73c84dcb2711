//! Reads parties and their roles from captions: around a `v.`, beside a role, under a role's heading.

use super::captions::{
    ROLE_WORD, block_above, block_below, is_border, is_role_line, left_column, versus_lines,
};
use super::docket_sheets::{Sheet, SheetParty, docket_sheet};
use super::initials::Initials;
use super::party_names::names_of_side;
use super::persons::normal_name;
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    /// A role at the end of a name: `, Appellee,` or `....Petitioner` or `---Appellants`.
    role_regex,
    format!(
        r"(?i)(?P<lead>,|\.{{2,}}|…+|-{{2,}}|\s{{2,}}|\n|\]|\t|^)\s*(?:(?:the|sole|cross|counter|third[- ]party|intervenor|and)[\s-]+)*(?P<role>{ROLE_WORD}(?:\(?s\)?|/s)?(?:\s*[-–/,\u{{a0}}]\s*(?:and\s+)?(?:cross-)?{ROLE_WORD}(?:\(?s\)?)?){{0,3}})(?:\s*(?:nos?\.?\s*)?\d+)?\s*(?:[.,;:)]|\n|$|\s{{2,}}|\bv\b|in\b)"
    )
);
static_regex!(between_regex, r"(?m)^[ \t]*(?i:between)[ \t]*:?[ \t]*$");
static_regex!(
    field_regex,
    format!(r"(?im)^[ \t]*(?P<role>{ROLE_WORD}s?)[ \t]*:-?[ \t]*(?P<name>[A-Z][^\n]{{2,200}})$")
);

/// Every party named in the captions of the text.
pub(super) fn parties(text: &str) -> Vec<Mention> {
    // A sheet lists every party, and cuts the names in its title short.
    if let Some(listed) = docket_sheet(text) {
        return sheet(text, &listed);
    }
    let mut found = Vec::new();
    let usual = usual_roles(text);
    // Some Indian courts write `Between … And …` instead of "versus".
    let between = between_regex().is_match(text);
    for versus in versus_lines(text).take(60) {
        let and = versus.as_str().trim().to_lowercase().starts_with("and");
        if and && !between {
            continue;
        }
        let above = block_above(text, versus.start());
        let below = block_below(text, versus.end());
        let first_role = read_block(text, above, usual.0, true, &mut found);
        let opposite = first_role.as_deref().and_then(counterpart);
        let opposite = opposite.or(Some(usual.1));
        read_block(text, below, opposite.unwrap_or(usual.1), false, &mut found);
    }
    for captures in field_regex().captures_iter(text) {
        let (Some(role), Some(name)) = (captures.name("role"), captures.name("name")) else {
            continue;
        };
        add_names(text, name.start(), name.end(), &role_name(role.as_str()), &mut found);
    }
    one_line_captions(text, usual, &mut found);
    in_re(text, &mut found);
    found.sort_by_key(|m: &Mention| (m.start, std::cmp::Reverse(m.end)));
    found.dedup_by(|b, a| b.start < a.end);
    found
}

static_regex!(
    title_regex,
    r"(?m)^[ \t]*(?:(?i:re|title|case\s+name)(?:\s*:[ \t]*|[ \t]{2,}))?(?P<a>[A-Z][^\n]{1,140}?),?[ \t]+(?:v|vs|V|Vs|VS|versus|Versus|VERSUS)\.?[ \t]+(?P<b>[A-Z][^\n]{1,140}?)[ \t]*$"
);
static_regex!(
    dotted_regex,
    format!(
        r"(?im)^[ \t]*(?:\d{{1,2}}[.)][ \t]*)?(?P<name>[A-Z][^\n]{{2,160}}?)[ \t]*(?:\.{{2,}}|…+|-{{3,}})[ \t]*(?P<role>{ROLE_WORD}(?:\(?s\)?|/s)?)\b"
    )
);

/// Maximum offset of a text's title, in bytes.
const TITLE_REACH: usize = 6000;

/// The parties of one-line titles, `Roe v. Doe`, and of lines such as `Roe ..... Appellant`.
fn one_line_captions(text: &str, usual: (&str, &str), found: &mut Vec<Mention>) {
    let head = &text[..text.floor_char_boundary(text.len().min(TITLE_REACH))];
    let mut more = Vec::new();
    let initials = Initials::read(text);
    for captures in title_regex().captures_iter(head) {
        let (Some(a), Some(b)) = (captures.name("a"), captures.name("b")) else { continue };
        // A citation names other cases, and an initial belongs to a person.
        if initials.has(a.as_str(), b.as_str())
            || captures[0].contains('(')
            || captures["b"].contains(|c: char| c.is_ascii_digit())
        {
            continue;
        }
        // A line of prose has more lower-case words than a title.
        let lower =
            captures[0].split_whitespace().filter(|w| w.starts_with(char::is_lowercase)).count();
        if lower <= 5 {
            add_names(text, a.start(), a.end(), usual.0, &mut more);
            add_names(text, b.start(), b.end(), usual.1, &mut more);
        }
    }
    for captures in dotted_regex().captures_iter(head) {
        let (Some(name), Some(role)) = (captures.name("name"), captures.name("role")) else {
            continue;
        };
        add_names(text, name.start(), name.end(), &role_name(role.as_str()), &mut more);
    }
    more.retain(|new| {
        !found.iter().any(|old: &Mention| old.start < new.end && new.start < old.end)
    });
    found.append(&mut more);
}

static_regex!(
    in_re_regex,
    r"(?m)^[ \t]*(?:(?i:in\s+re)\b|(?i:in\s+the\s+matters?\s+of)\b|Matter\s+of\b|MATTER\s+OF\b|(?i:ex\s+parte)\b):?[ \t]*\n?[ \t]*\n?[ \t]*(?P<name>[A-Z][^\n]{1,140})"
);

/// The subject of a case without sides: `In re: ANN ROE`, `In the Matter of …`, `Ex parte …`.
fn in_re(text: &str, found: &mut Vec<Mention>) {
    let head = &text[..text.floor_char_boundary(text.len().min(TITLE_REACH))];
    for captures in in_re_regex().captures_iter(head).take(4) {
        let Some(name) = captures.name("name") else { continue };
        let line = left_column(name.as_str());
        let cut = role_regex().captures(&line).and_then(|role| role.get(0)).map(|m| m.start());
        let end = cut.filter(|cut| *cut > 0).unwrap_or(line.len());
        // A citation or a sentence names other cases.
        if line.contains(" v. ") || line.contains(['(', '“']) {
            continue;
        }
        let role =
            cut.and_then(|_| role_regex().captures(&line)).and_then(|role| role.name("role"));
        let role = role.map_or("subject".to_owned(), |role| role_name(role.as_str()));
        let mut more = Vec::new();
        add_names(text, name.start(), name.start() + end, &role, &mut more);
        more.retain(|new| {
            !found.iter().any(|old: &Mention| old.start < new.end && new.start < old.end)
        });
        found.append(&mut more);
    }
}

/// The paper's words for its parties: the most frequent pair of roles.
fn usual_roles(text: &str) -> (&'static str, &'static str) {
    let head = text[..text.floor_char_boundary(text.len().min(20_000))].to_lowercase();
    let pairs =
        [("plaintiff", "defendant"), ("petitioner", "respondent"), ("appellant", "appellee")];
    let count = |pair: &(&str, &str)| head.matches(pair.0).count() + head.matches(pair.1).count();
    pairs.into_iter().rev().max_by_key(count).unwrap_or(pairs[0])
}

fn counterpart(role: &str) -> Option<&'static str> {
    let lower = role.to_lowercase();
    [
        ("plaintiff", "defendant"),
        ("appellant", "appellee"),
        ("petitioner", "respondent"),
        ("appellee", "appellant"),
        ("applicant", "respondent"),
        ("respondent", "appellant"),
        ("revisionist", "opposite party"),
        ("complainant", "accused"),
        ("claimant", "respondent"),
    ]
    .into_iter()
    .find(|(one, _)| lower.contains(one))
    .map(|(_, other)| other)
}

fn role_name(role: &str) -> String {
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

/// Reads the names and roles of one side; returns the first role.
fn read_block(
    text: &str,
    block: (usize, usize),
    fallback: &str,
    above: bool,
    found: &mut Vec<Mention>,
) -> Option<String> {
    let (start, end) = block;
    let content = left_column(text.get(start..end)?);
    let content = content.as_str();
    let mut first = None;
    let mut from = start;
    for captures in role_regex().captures_iter(content) {
        let (Some(whole), Some(role)) = (captures.get(0), captures.name("role")) else { continue };
        let role_text = role_name(role.as_str());
        let name_end = start + whole.start();
        if name_end > from {
            add_names(text, from, name_end, &role_text, found);
        }
        first.get_or_insert(role_text);
        from = start + role.end();
    }
    if first.is_none() {
        let role = fallback;
        // Without a role only the paragraph next to the `v.` is a name.
        let paragraph = if above {
            let tail = content.trim_end();
            let at = tail.rfind("\n\n").or_else(|| tail.rfind("\n \n")).map_or(0, |at| at + 1);
            (start + at, start + tail.len())
        } else {
            let head = content.trim_start();
            let skipped = content.len() - head.len();
            let length = head.find("\n\n").or_else(|| head.find("\n \n")).unwrap_or(head.len());
            (start + skipped, start + skipped + length)
        };
        add_names(text, paragraph.0, paragraph.1, role, found);
    }
    first
}

/// Adds the names in `start..end`, without numbers, descriptions and the caption's right column.
fn add_names(text: &str, start: usize, end: usize, role: &str, found: &mut Vec<Mention>) {
    let Some(block) = text.get(start..end) else { return };
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
    let mut start = at + lead;
    for prefix in [
        "Title:", "IN RE:", "In re:", "IN RE ", "In re ", "The ", "THE ", "M/s.", "M/s", "M/S.",
        "Mr.", "Mrs.", "Ms.", "Smt.", "Shri ", "Sri ", "Pt. ", "Dr. ", "and ", "AND ",
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
    // Another case is cited.
    if [" v. ", " vs. ", " V. "].iter().any(|versus| trimmed.contains(versus))
        && trimmed.split_whitespace().count() > 3
    {
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

/// The parties that a docket sheet lists.
fn sheet(text: &str, sheet: &Sheet) -> Vec<Mention> {
    let mention = |party: &SheetParty| {
        let name = &text[party.start..party.end];
        Mention::new(EntityKind::Party, text, party.start, party.end, normal_name(name))
            .with_role(party.role.clone())
    };
    sheet.parties.iter().map(mention).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parties(text)
            .into_iter()
            .map(|m| (m.normal, m.attributes.role.unwrap_or_default()))
            .collect()
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn appellate_typescript() {
        let text = "No. 92-1549\n\n        UNITED STATES OF AMERICA,\n\n               Appellee,\n\n                  v.\n\n         CARLOS ROE,\n\n         Defendant, Appellant.\n\n    APPEAL FROM THE COURT";
        assert_eq!(
            pairs(text),
            [
                pair("United States of America", "appellee"),
                pair("Carlos Roe", "defendant, appellant")
            ]
        );
    }

    #[test]
    fn captions_without_roles_and_indian_ones() {
        assert_eq!(
            pairs("STATE of Utopia\nv.\nAnn ROE.\n\nNo. 7.")[1],
            pair("Ann Roe", "defendant")
        );
        let text = "=====\n   Hari Roe.... Petitioner\n       Versus\n  State Of Gujarat & 3.... Respondents\n=====";
        assert_eq!(
            pairs(text),
            [pair("Hari Roe", "petitioner"), pair("State Of Gujarat", "respondent")]
        );
    }

    #[test]
    fn docket_sheets() {
        let text = "Plaintiff\n\nAcme Insurance Company\n\nrepresented by\tA. B. Roe\nATTORNEY TO BE NOTICED\n\nV.\n\nDefendant\n\nMatthew Doe\n\nDefendant\n\nPage, Inc.\n";
        let names: Vec<String> = pairs(text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Acme Insurance Company", "Matthew Doe", "Page Inc."]);
    }
}

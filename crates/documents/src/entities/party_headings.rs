//! Finds parties without two sides: under the heading of their role, in `In re` titles, and beside their role in prose.

use super::captions::{ROLE_WORD, left_column};
use super::party_mention::{add_names, role_name, role_regex};
use super::persons::{PERSON, is_person};
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(
    field_regex,
    format!(r"(?im)^[ \t]*(?P<role>{ROLE_WORD}s?)[ \t]*:-?[ \t]*(?P<name>[A-Z][^\n]{{2,200}})$")
);

static_regex!(
    heading_regex,
    format!(r"(?im)^[ \t]*(?P<role>{ROLE_WORD}(?:\(?s\)?|/s)?)[ \t]*:-?[ \t]*$")
);
static_regex!(item_regex, r"(?m)^[ \t]*\d{1,3}[.)]?[ \t]+");
static_regex!(
    prose_regex,
    format!(
        r"\b(?i:the\s+)?(?P<role>(?i:{ROLE_WORD})s?),?\s+(?:(?:Dr|Mr|Mrs|Ms|Smt|Shri|Sri)\.?\s*)?(?P<name>{PERSON})"
    )
);

/// The bytes in which titles without sides are looked for.
pub(super) const TITLE_REACH: usize = 6000;

/// The most lines of a list under a role.
const MAX_LINES: usize = 60;

/// Parties beside or below the heading of their role, and the subjects of `In re` titles.
pub(super) fn headed_parties(text: &str, found: &mut Vec<Mention>) {
    for captures in field_regex().captures_iter(text) {
        let (Some(role), Some(name)) = (captures.name("role"), captures.name("name")) else {
            continue;
        };
        add_names(text, name.start(), name.end(), &role_name(role.as_str()), found);
    }
    for captures in heading_regex().captures_iter(text).take(60) {
        let (Some(whole), Some(role)) = (captures.get(0), captures.name("role")) else { continue };
        list(text, whole.end(), &role_name(role.as_str()), found);
    }
    in_re(text, found);
}

/// The items below a heading: the first line of each is a name, and the next are its address.
fn list(text: &str, start: usize, role: &str, found: &mut Vec<Mention>) {
    let mut at = start;
    let mut blanks = 0;
    let mut first = true;
    for line in text[start..].split_inclusive('\n').take(MAX_LINES) {
        let from = at;
        at += line.len();
        let trimmed = line.trim();
        if trimmed.is_empty() {
            blanks += 1;
            if blanks > 3 {
                break;
            }
            continue;
        }
        let lower = trimmed.to_lowercase();
        let ends = ["by ", "adv", "this ", "for ", "counsel", "(by", "versus", "vs", "and"]
            .iter()
            .any(|word| lower.starts_with(word));
        if ends || heading_regex().is_match(line) {
            break;
        }
        let item = item_regex().find(line);
        if first || item.is_some() {
            let name_at = item.map_or(0, |number| number.end());
            add_names(text, from + name_at, at, role, found);
        }
        // A list without numbers has one name.
        first = false;
        blanks = 0;
    }
}

/// `The petitioner Ann Roe, who …`: the only names of a text without a caption.
pub(super) fn named_in_prose(text: &str, found: &mut Vec<Mention>) {
    for captures in prose_regex().captures_iter(text) {
        let (Some(role), Some(name)) = (captures.name("role"), captures.name("name")) else {
            continue;
        };
        let whole =
            name.as_str().split('\n').next().unwrap_or_default().trim_end_matches(['.', ',', ' ']);
        if is_person(whole) {
            // `Ann Roe @ Anu` has an alias.
            let rest = &text[name.start() + whole.len()..];
            let alias = rest.strip_prefix(" @ ").map_or(0, |alias| {
                let length = alias.find(|c: char| !c.is_alphabetic()).unwrap_or(alias.len());
                if alias.starts_with(char::is_uppercase) { 3 + length } else { 0 }
            });
            let whole = &text[name.start()..name.start() + whole.len() + alias];
            let normal = super::persons::normal_name(whole);
            let end = name.start() + whole.len();
            found.push(
                Mention::new(EntityKind::Party, text, name.start(), end, normal)
                    .with_role(role_name(role.as_str())),
            );
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        headed_parties(text, &mut found);
        found.into_iter().map(|m| (m.normal, m.attributes.role.unwrap_or_default())).collect()
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn lists_stand_under_roles() {
        let text = "Petitioner:\n\n A.B.Roe, Aged 65 Years\n S/O. Poe\n\n By Adv. Moe\n\nRespondents:\n\n 1   State Of Utopia, Represented By Its Secretary\n     Capital-695 001.\n 2   Union Of Utopia\n\n By Adv. Doe\n";
        assert_eq!(
            pairs(text),
            [
                pair("A.B.Roe", "petitioner"),
                pair("State Of Utopia", "respondent"),
                pair("Union Of Utopia", "respondent")
            ]
        );
    }

    #[test]
    fn a_case_may_have_a_subject_only() {
        assert_eq!(pairs("In re: ANN V. ROE   No. 21-800\n"), [pair("Ann V. Roe", "subject")]);
        assert_eq!(
            pairs("In the Matter of\n\nACME MILLS, INC.,\n\nDebtor.\n")[0],
            pair("Acme Mills Inc.", "subject")
        );
        assert!(pairs("In re Roe, 410 U.S. 113 (1973), held so.\n").is_empty());
    }

    #[test]
    fn prose_names_parties_by_their_role() {
        let mut found = Vec::new();
        named_in_prose(
            "The petitioner Ann Roe, who is a nurse, and the respondent State argue.",
            &mut found,
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, "Ann Roe");
    }
}

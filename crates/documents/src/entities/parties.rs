//! Reads parties and their roles from captions: around a `v.`, beside a role, under a role's heading.

use super::captions::{ROLE_WORD, block_above, block_below, left_column, versus_lines};
use super::docket_sheets::{Sheet, SheetParty};
use super::initials::Initials;
use super::party_headings::{TITLE_REACH, headed_parties, named_in_prose};
use super::party_mention::{add_names, add_names_of, role_name, role_regex};
use super::persons::normal_name;
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

static_regex!(between_regex, r"(?m)^[ \t]*(?i:between)[ \t]*:?[ \t]*$");

/// Every party named in the captions of a paper that is no docket sheet.
pub(super) fn parties(text: &str) -> Vec<Mention> {
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
    headed_parties(text, &mut found);
    one_line_captions(text, usual, &mut found);
    if found.is_empty() {
        named_in_prose(text, &mut found);
    }
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
            || captures["b"][..docket_after(&captures["b"])].contains(|c: char| c.is_ascii_digit())
        {
            continue;
        }
        // A line of prose has more lower-case words than a title.
        let lower =
            captures[0].split_whitespace().filter(|w| w.starts_with(char::is_lowercase)).count();
        if lower <= 5 {
            let b_end = b.start() + docket_after(b.as_str());
            // The name of the paper may stand before the title: `Complaint, Roe v. Poe`.
            let a_start = a.start() + paper_before_regex().find(a.as_str()).map_or(0, |m| m.end());
            for (start, end, usual) in [(a_start, a.end(), usual.0), (b.start(), b_end, usual.1)] {
                // A reporter's caption has the roles on the same line.
                let side = role_regex().captures(&text[start..end]).and_then(|role| {
                    Some((role.get(0)?.start(), role_name(role.name("role")?.as_str())))
                });
                match side {
                    Some((cut, role)) if cut > 0 => {
                        add_names(text, start, start + cut, &role, &mut more)
                    }
                    _ => add_names(text, start, end, usual, &mut more),
                }
            }
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
    court_after_regex,
    r",\s+(?:[NSEWCM]\.\s?D\.|D\.\s?[A-Z]|\d{1,2}(?:st|nd|rd|d|th)\s+Cir)"
);
static_regex!(
    paper_before_regex,
    r"(?i)^(?:complaint|answer|order|opinion|judgment|motion|petition|brief|memorandum|notice|transcript|docket|re)\s*[,:–—-]\s*"
);

/// Where a court or a docket number after a title begins: `Roe v. Poe, N.D. Cal. No. 20-1234`.
fn docket_after(title: &str) -> usize {
    let court = court_after_regex().find(title).map(|court| court.start());
    [", No.", ", Nos.", ", Case", ", Docket", " No. ", ", Civ"]
        .iter()
        .filter_map(|mark| title.find(mark))
        .chain(court)
        .min()
        .unwrap_or(title.len())
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
            let block = &content[from - start..name_end - start];
            add_names_of(text, from, block, &role_text, found);
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
            (at, tail.len())
        } else {
            let head = content.trim_start();
            let skipped = content.len() - head.len();
            let length = head.find("\n\n").or_else(|| head.find("\n \n")).unwrap_or(head.len());
            (skipped, skipped + length)
        };
        let block = &content[paragraph.0..paragraph.1];
        add_names_of(text, start + paragraph.0, block, role, found);
    }
    first
}

/// The parties that a docket sheet lists.
pub(super) fn listed(text: &str, sheet: &Sheet) -> Vec<Mention> {
    let mention = |party: &SheetParty| {
        let name = &text[party.start..party.end];
        let mention =
            Mention::new(EntityKind::Party, text, party.start, party.end, normal_name(name));
        // A sheet may name a party without its role.
        if party.role.is_empty() { mention } else { mention.with_role(party.role.clone()) }
    };
    sheet.parties.iter().map(mention).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::docket_sheets::docket_sheet;

    /// As [`crate::entities::mentions`] reads a text: as a docket sheet, if it is one.
    fn read(text: &str) -> Vec<Mention> {
        docket_sheet(text).map_or_else(|| parties(text), |sheet| listed(text, &sheet))
    }

    fn pairs(text: &str) -> Vec<(String, String)> {
        read(text).into_iter().map(|m| (m.normal, m.attributes.role.unwrap_or_default())).collect()
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
    fn roles_may_be_joined_or_on_the_line_of_the_name() {
        let california = "THE PEOPLE,\n\n    Plaintiff and Respondent,\n\n  v.\n\nBOB POE,\n\n    Defendant and Appellant.\n";
        assert_eq!(
            pairs(california),
            [
                pair("People", "plaintiff and respondent"),
                pair("Bob Poe", "defendant and appellant")
            ]
        );
        let line = "ANN ROE, Plaintiff-Appellant, v. ACME MILLS, INC., Defendant-Appellee.\nNo. 10-1234.\n";
        assert_eq!(
            pairs(line),
            [pair("Ann Roe", "plaintiff-appellant"), pair("Acme Mills Inc.", "defendant-appellee")]
        );
    }

    #[test]
    fn a_title_may_stand_between_the_name_of_a_paper_and_a_court() {
        let text =
            "Complaint, Quillon Mills, Inc. v. Bastian Grain, LLC, N.D. Cal. No. 3:22-cv-09847";
        let found: Vec<String> = parties(text).into_iter().map(|party| party.normal).collect();
        assert_eq!(found, ["Quillon Mills Inc.", "Bastian Grain LLC"], "{found:?}");
        let sworn =
            "ANN ROE v. BEN POE\n\nDefendants.\n\nI, Carla Moe, declare:\n1. I am of age.\n";
        assert!(parties(sworn).iter().all(|party| !party.text.contains("declare")));
    }

    #[test]
    fn the_right_column_is_no_part_of_a_name() {
        let text = "QUILLON MILLS, INC.,               )\n                                   )\n\
                    \x20              Plaintiff,         )   Case No. 3:22-cv-09847-ABC\n\
                    \x20                                  )\n     v.                            )   DEFENDANT BASTIAN GRAIN,\n\
                    \x20                                  )   LLC'S ANSWER TO COMPLAINT AND\n\
                    BASTIAN GRAIN, LLC, and            )   COUNTERCLAIM\nTOMAS R. WREN,                     )\n\
                    \x20                                  )   Judge: Hon. Ada T. Orell\n               Defendants.        )\n";
        let found: Vec<String> = parties(text).into_iter().map(|party| party.normal).collect();
        assert_eq!(
            found,
            ["Quillon Mills Inc.", "Bastian Grain LLC", "Tomas R. Wren"],
            "{found:?}"
        );
    }

    #[test]
    fn captions_may_have_three_sides_rulers_and_dashes() {
        let text = "ACME MILLS, INC.,             )\n     Plaintiff,               )   No. 05-1234\n     v.                       )\nBOB POE, AKA Bobby P.,        )\n     Defendant and            )\n     Third-Party Plaintiff,   )\n     v.                       )\nCARL MOE, et al.,             )\n     Third-Party Defendants.  )\n";
        let names: Vec<String> = pairs(text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Acme Mills Inc.", "Bob Poe", "Carl Moe"]);
        let york = "JANE POE, as Administratrix of the Estate of\nCarl Poe, deceased,\n      Plaintiff,\n   -against-\nTHE CITY OF UTOPIA,\n      Defendant.\n";
        assert_eq!(
            pairs(york),
            [pair("Jane Poe", "plaintiff"), pair("City of Utopia", "defendant")]
        );
    }

    #[test]
    fn columns_of_a_table_are_apart() {
        let text = "ANN ROE,\tCase No. 1:20-cv-00123\nPlaintiff,\tORDER GRANTING MOTION\nv.\tJudge Poe\nACME MILLS, INC.,\t[Dkt. 5]\nDefendant.\n";
        assert_eq!(
            pairs(text),
            [pair("Ann Roe", "plaintiff"), pair("Acme Mills Inc.", "defendant")]
        );
    }

    #[test]
    fn docket_sheets() {
        let text = "Plaintiff\n\nAcme Insurance Company\n\nrepresented by\tA. B. Roe\nATTORNEY TO BE NOTICED\n\nV.\n\nDefendant\n\nMatthew Doe\n\nDefendant\n\nPage, Inc.\n";
        let names: Vec<String> = pairs(text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Acme Insurance Company", "Matthew Doe", "Page Inc."]);
    }
}

//! Finds judges by title, by panel, by the first line of an opinion, and by a docket's fields.

use super::judge_fields::judge_fields;
use super::persons::{PERSON, apart, name_at_head, normal_name};
use super::windows::windows;
use crate::model::{EntityKind, Mention};
use crate::static_regex::static_regex;

const RANK: &str = r"(?:(?i:chief|senior|associate|presiding|acting|circuit|district|bankruptcy|magistrate|united\s+states|u\.\s?s\.|administrative|law|superior|court|trial|supreme|special|retired|visiting|judicial|accountant|technical|vice|administrative\s+law)[\s-]+){0,5}";
const TITLE: &str = r"(?i:judges?|justices?|chancellor|magistrate|commissioner|referee)";

static_regex!(
    after_name_regex,
    format!(
        r"(?P<names>(?:{PERSON}(?:,\s+|,?\s+(?:and|AND|And)\s+|\s+&\s+)){{0,8}}{PERSON})(?:[\s-]+I{{1,3}})?,?\s*(?:\*|†)?\s*,?\s+\(?(?:{RANK}{TITLE}\b|(?:P\.\s?|C\.\s?|A\.\s?C\.\s?|S\.\s?|V\.\s?C\.\s?)?JJ?\.|(?:Judicial|Accountant)\s+Member)|(?P<indian>{PERSON})(?:-I{{1,3}})?\s?,\s?J\.?(?:\s|$)"
    )
);
static_regex!(
    before_name_regex,
    format!(
        r"\b(?:(?:The\s+)?(?:Hon(?:ou?rable|['’,]?\s?[Bb]le|\.|\b)?|HON(?:ORABLE|OURABLE|['’]BLE|\.)?)\s*(?:(?:(?i:mr|mrs|ms|dr|smt|sri|shri|the|kumari)\.?\s*){{0,2}})(?:{RANK}{TITLE}\s+(?:(?i:mr|mrs|ms|dr|smt)\.?\s*)?|J\.\s+)?|(?:{RANK}(?:Judge|Justice|JUDGE|JUSTICE|Chancellor|CHANCELLOR)s?\s+)(?:(?i:mr|ms|dr)\.\s*)?|(?:(?i:mr|mrs|ms|dr|smt)\.?\s?)(?:Justice|JUSTICE)\s+)(?P<name>{PERSON})"
    )
);
static_regex!(
    panel_regex,
    format!(
        r"(?:\b(?:Before|BEFORE|Present|PRESENT|Panel|PANEL|Coram|CORAM|Quorum)\b\s*(?:the\s+)?:?\s*(?:(?:Chief\s+)?(?:Judge|Justice)s?\s+)?)(?P<names>(?:(?i:(?:chief|senior)\s+judge\s+)?{PERSON}(?:,\s+|,?\s+(?:and|AND|And)\s+|\s+&\s+|\n\s*\n)){{0,8}}(?i:mr\.?\s?justice\s+)?{PERSON})"
    )
);
static_regex!(person_regex, PERSON);
static_regex!(next_name_regex, format!(r"^(?:,\s+(?:and\s+)?|\s+and\s+)(?P<name>{PERSON})"));
static_regex!(
    rank_trigger,
    r"(?i:judge|justice|chancellor|magistrate|commissioner|referee|member)|\bJJ?\.|,\s?J\b"
);
static_regex!(title_trigger, r"Hon|HON|hon|Judge|JUDGE|Justice|JUSTICE|Chancellor|CHANCELLOR");
static_regex!(panel_trigger, r"Before|BEFORE|Present|PRESENT|Panel|PANEL|Coram|CORAM|Quorum");

/// The most names after one title.
const PANEL: usize = 8;

/// Every mention of a judge.
pub(super) fn judges(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    // The window before a rank has room for eight names with titles.
    for range in windows(text, rank_trigger(), 300, 24) {
        let at = range.start;
        for captures in after_name_regex().captures_iter(&text[range]) {
            let names = captures.name("names").or(captures.name("indian"));
            let (Some(names), Some(whole)) = (names, captures.get(0)) else { continue };
            // `Three judge bench`: one word needs a comma to be a name.
            let rank = &text[at + names.end()..at + whole.end()];
            // A title is written with a capital: `the trial judge` names nobody.
            let small = rank.split_whitespace().any(|word| {
                word.starts_with(char::is_lowercase)
                    && TITLES.contains(&word.trim_end_matches([',', '.']))
            });
            if small {
                continue;
            }
            let word =
                !names.as_str().contains(char::is_whitespace) && !names.as_str().contains('.');
            if word && !rank.contains(',') && !rank.trim().ends_with("J.") {
                continue;
            }
            // `Ann J. Roe`: without a comma, an initial before a family name is no rank.
            let after = text[at + whole.end()..].trim_start_matches([' ', '\t']);
            let initial = !rank.contains(',') && rank.trim().len() <= 2;
            if initial && after.starts_with(char::is_uppercase) {
                continue;
            }
            add_names(text, at + names.start(), at + names.end(), &mut found);
        }
    }
    for range in windows(text, title_trigger(), 60, 110) {
        let at = range.start;
        for captures in before_name_regex().captures_iter(&text[range]) {
            let Some(name) = captures.name("name") else { continue };
            // A title in the paragraph above is of somebody else.
            let title_start = at + captures.get(0).map_or(name.start(), |whole| whole.start());
            let title = &text[title_start..at + name.start()];
            if title.contains("\n\n") {
                continue;
            }
            // The next line of a list of judges begins with another title.
            let lines: Vec<&str> = name.as_str().split('\n').collect();
            let first = lines[0].trim_end();
            let length = if first.split_whitespace().count() >= 2 || first.contains('.') {
                first.len()
            } else {
                name.len()
            };
            add_names(text, at + name.start(), at + name.start() + length, &mut found);
            // `Judges Roe, Doe and Poe`: the title is of all of them.
            let title = title.trim_end().to_lowercase();
            let mut from = at + name.start() + length;
            let plural = title.ends_with("judges") || title.ends_with("justices");
            for _ in 0..if plural { PANEL } else { 0 } {
                let Some(next) =
                    next_name_regex().captures(&text[from..]).and_then(|c| c.name("name"))
                else {
                    break;
                };
                add_names(text, from + next.start(), from + next.end(), &mut found);
                from += next.end();
            }
        }
    }
    panels(text, &mut found);
    for (start, end) in judge_fields(text) {
        add_names(text, start, end, &mut found);
    }
    found.sort_by_key(|m| (m.start, std::cmp::Reverse(m.end)));
    found.dedup_by(|b, a| b.start < a.end);
    found
}

/// The panel that heard the case, from its heading.
fn panels(text: &str, found: &mut Vec<Mention>) {
    for range in windows(text, panel_trigger(), 2, 420) {
        let at = range.start;
        for captures in panel_regex().captures_iter(&text[range]) {
            let (Some(whole), Some(names)) = (captures.get(0), captures.name("names")) else {
                continue;
            };
            // Only a heading names a panel; `Before Smith could answer` is not one.
            let end = at + whole.end();
            let after = &text[end..text.floor_char_boundary((end + 90).min(text.len()))];
            let list = [",", " and ", " AND "].iter().any(|mark| names.as_str().contains(mark));
            let lower = after.to_lowercase();
            let ranked = ["judge", "justice", "j.", "jj."].iter().any(|rank| lower.contains(rank));
            let heading = whole.as_str().starts_with(['C', 'Q']);
            if (list || whole.as_str().contains(':')) && (ranked || heading) {
                add_names(text, at + names.start(), at + names.end(), found);
            }
        }
    }
}

/// Words before a name that are not part of it.
const TITLES: [&str; 37] = [
    "judge",
    "justice",
    "judges",
    "justices",
    "hon'ble",
    "hon’ble",
    "honble",
    "chief",
    "senior",
    "circuit",
    "district",
    "hon",
    "honorable",
    "honourable",
    "mr",
    "mrs",
    "ms",
    "dr",
    "shri",
    "sri",
    "smt",
    "and",
    "before",
    "by",
    "the",
    "per",
    "associate",
    "magistrate",
    "j",
    "presiding",
    "present",
    "in",
    "coram",
    "retired",
    "opinion",
    "panel",
    "sh",
];

/// Adds each name of a list such as `Roe, Poe and Alder`.
fn add_names(text: &str, start: usize, end: usize, found: &mut Vec<Mention>) {
    for name in person_regex().find_iter(&text[start..end]) {
        let mut from = start + name.start();
        let to = start + name.end();
        // Titles before the name are not part of it.
        loop {
            let rest = &text[from..to];
            let word = rest.split_whitespace().next().unwrap_or_default();
            let bare = word.trim_end_matches(['.', ',']).to_lowercase();
            let title = TITLES.contains(&bare.as_str()) && rest.len() > word.len();
            if !title {
                break;
            }
            let skipped = rest.find(word).unwrap_or(0) + word.len();
            from += skipped + (rest[skipped..].len() - rest[skipped..].trim_start().len());
        }
        // An empty line separates two names.
        for piece in text[from..to].split("\n\n") {
            add_name(text, from, piece, found);
            from += piece.len() + 2;
        }
    }
}

/// Adds the names of one paragraph, if they are names of people.
fn add_name(text: &str, start: usize, paragraph: &str, found: &mut Vec<Mention>) {
    let lead = paragraph.len() - paragraph.trim_start().len();
    let Some(raw) = name_at_head(&paragraph[lead..]).map(trim_stray_end) else { return };
    let raw = raw.strip_suffix("'s").or(raw.strip_suffix("’s")).unwrap_or(raw);
    let (skipped, raw) = without_place(raw);
    let from = start + lead + skipped;
    // `Alder P.` lost its family name.
    let last = raw.split_whitespace().next_back().unwrap_or_default();
    let cut_short = raw.contains(' ') && last.len() == 2 && last.ends_with('.');
    if cut_short || is_case_name(raw) || is_staff(&text[from + raw.len()..]) {
        return;
    }
    for (at, name) in apart(raw) {
        let (start, normal) = (from + at, normal_name(name));
        found.push(Mention::new(EntityKind::Judge, text, start, start + name.len(), normal));
    }
}

/// A judge's name without the state of the court before it: `California Ann B. Roe`.
fn without_place(name: &str) -> (usize, &str) {
    let words: Vec<&str> = name.split_whitespace().collect();
    if words.is_empty() {
        return (0, name);
    }
    // Virginia, Georgia and Carolina are given names too.
    let given = matches!(words[0], "Virginia" | "Georgia" | "Carolina" | "Washington");
    for length in [2, 1] {
        if words.len() < length + 2 || given && length == 1 {
            continue;
        }
        if super::court_words::state_word(&words[..length].join(" ")).is_some()
            && words[0].len() > 2
        {
            // The offset is counted over the words of the state: a letter may also be inside another word.
            let mut rest = name.trim_start();
            for word in &words[..length] {
                rest = rest[word.len()..].trim_start();
            }
            return (name.len() - rest.len(), rest);
        }
    }
    (0, name)
}

/// `Acme Mills V. Roe` is a case: a person has no more than a few words around an initial V.
fn is_case_name(name: &str) -> bool {
    (name.contains(" V. ") || name.contains(" v. ")) && name.split_whitespace().count() > 4
}

/// Whether the words after a name are those of the court's staff.
fn is_staff(after: &str) -> bool {
    let head: String = after.chars().take(80).collect::<String>().to_lowercase();
    let head = head.split("\n\n").next().unwrap_or_default();
    ["deputy clerk", "court reporter", "courtroom deputy", ", clerk"]
        .iter()
        .any(|office| head.contains(office))
}

/// Removes a full stop at the end, but keeps the dot of an abbreviation.
fn trim_stray_end(name: &str) -> &str {
    match name.strip_suffix('.') {
        Some(cut)
            if !["Jr", "Sr", "JR", "SR"].iter().any(|suffix| cut.ends_with(suffix))
                && !cut.ends_with(|c: char| c.is_uppercase()) =>
        {
            cut
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(text: &str) -> Vec<String> {
        judges(text).into_iter().map(|m| m.normal).collect()
    }

    #[test]
    fn panels_and_authors() {
        assert_eq!(
            normals("Before\n\n   Roe, Doe and Poe,\n\n  Circuit Judges.\n"),
            ["Roe", "Doe", "Poe"]
        );
        assert_eq!(normals("Present: ROEMER, McDOE and BEAL, JJ."), ["Roemer", "McDOE", "Beal"]);
        assert_eq!(normals("JONES, Circuit Judge."), ["Jones"]);
        assert_eq!(normals("[Hon. Ann A. Roe, Senior U.S. District Judge]"), ["Ann A. Roe"]);
        assert_eq!(normals("Assigned to: Timothy M. Roe\n"), ["Timothy M. Roe"]);
    }

    #[test]
    fn indian_titles() {
        assert_eq!(normals("Coram: Hon'Ble Mr. Justice Amol Ratan Roe\n"), ["Amol Ratan Roe"]);
        assert_eq!(normals("The Honourable Mr.Justice B.Roe\n"), ["B.Roe"]);
    }

    #[test]
    fn titles_stand_on_either_side() {
        let one = [
            ("OPINION BY ROE, J.:\n\nAppellant", "Roe"),
            ("IT IS SO ORDERED.\n\nJANE ROE\nUNITED STATES DISTRICT JUDGE\n", "Jane Roe"),
            ("MR. JUSTICE ROEMER delivered the opinion", "Roemer"),
            ("HON. JANE ROE, U.S.D.J.\n", "Jane Roe"),
            ("All the Justices concur, except ROEMER, J., who dissents.", "Roemer"),
            ("Honorable Jane Q. Roe, Chief United States District Judge", "Jane Q. Roe"),
        ];
        for (text, name) in one {
            assert_eq!(normals(text), [name], "{text}");
        }
        assert_eq!(
            normals("Before Judges Roemer, Doeman and Poewell\n"),
            ["Roemer", "Doeman", "Poewell"]
        );
        assert_eq!(
            normals(
                "Before: ROEMER, Chief Judge, DOEMAN, Circuit Judge, and POEWELL,* District Judge.\n"
            ),
            ["Roemer", "Doeman", "Poewell"]
        );
    }

    #[test]
    fn headings_and_staff_are_no_judges() {
        for text in [
            "HISTORY\nPARTIAL DISSENT by the Judge. The Trial Judge erred. Three Judge bench.",
            "Therefore Natural Justice requires that the High Court, Justice said.",
            "Catherine M. Roe, Deputy Clerk, for the Judge",
            "PER CURIAM.\n\nThe court",
        ] {
            assert_eq!(normals(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn courts_and_sentences_name_no_judge() {
        assert!(normals("Before Smith could answer, the Supreme Court Justices left.").is_empty());
    }

    #[test]
    fn the_state_before_a_name_is_cut_at_the_word() {
        assert_eq!(without_place("California A Roe"), (11, "A Roe"));
        assert_eq!(without_place("New York N. Roe"), (9, "N. Roe"));
        assert_eq!(without_place("Ann Roe"), (0, "Ann Roe"));
    }
}

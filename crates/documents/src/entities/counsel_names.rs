//! Finds the people in a list of counsel, as opposed to firms and cities.

use super::persons::{PERSON, apart, is_person};
use super::tables::states::STATES;
use crate::static_regex::static_regex;

static_regex!(person_regex, PERSON);

/// Words that follow a firm's name.
const FIRM_MARKS: [&str; 15] = [
    "LLP",
    "LLC",
    "P.C",
    "PLLC",
    "PLC",
    "P.A",
    "& ",
    "PC",
    ", LLP",
    ", P.C",
    ", PLC",
    ", PLLC",
    ", P.A",
    "Law ",
    "Associates",
];

/// The names of people in a list of counsel, with their offsets.
pub(super) fn names_in(segment: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let matches = person_regex().find_iter(segment).flat_map(|found| {
        paragraphs(found.start(), found.as_str()).into_iter().flat_map(|(start, part)| {
            apart(part).into_iter().map(move |(at, name)| (start + at, name))
        })
    });
    for (start, raw) in matches {
        // The tail of a broken or lower-case word is not part of a name: `Steele Ann Roe`.
        let inside = segment[..start].ends_with(char::is_alphanumeric);
        let cut = if inside { raw.find(char::is_uppercase).unwrap_or(0) } else { 0 };
        let (start, raw) = (start + cut, &raw[cut..]);
        let name = raw.trim_end_matches([',', ' ']);
        // A firm is recognised by the text around the name: `Roe Doe LLP`, `Roe & Doe`.
        let rest = &segment[start + raw.len()..];
        let (after, before) = (rest.trim_start(), segment[..start].trim_end());
        let firm = FIRM_MARKS.iter().any(|mark| after.starts_with(mark));
        // A firm's seat stands between the firm and its lawyers: `Roe PC, Utopia (Ann Poe …)`.
        let marked = before.trim_end_matches([',', '.']);
        let seat = after.starts_with('(') && FIRM_MARKS.iter().any(|mark| marked.ends_with(mark));
        let name = name
            .strip_suffix('.')
            .filter(|cut| !cut.ends_with("Jr") && !cut.ends_with("Sr"))
            .unwrap_or(name);
        // `William L` lost its family name at the end of a page.
        let last = name.split_whitespace().next_back().unwrap_or_default();
        let cut_short = last.trim_end_matches('.').chars().count() == 1;
        if is_person(name)
            && !cut_short
            && !firm
            && !seat
            && !is_city(rest)
            && !before.ends_with('&')
            && !before.ends_with(" of")
            && !before.ends_with("Office of the")
        {
            names.push((start, name));
        }
    }
    names
}

/// The parts of a match: a heading stands apart from the name below it, and so do two lines that are no name
/// together.
fn paragraphs(start: usize, matched: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut at = start;
    // A page of typescript may break a name after an initial.
    let broken = matched.split("\n\n").any(|part| {
        let word = part.split_whitespace().next_back().unwrap_or_default();
        word.trim_end_matches('.').chars().count() == 1
    });
    let separator = if broken { "\n\n\n\n" } else { "\n\n" };
    for part in matched.split(separator) {
        if part.contains('\n') && !is_person(part.trim()) {
            let mut from = at;
            for line in part.split('\n') {
                parts.push((from, line));
                from += line.len() + 1;
            }
        } else {
            parts.push((at, part));
        }
        at += part.len() + separator.len();
    }
    parts
        .into_iter()
        .map(|(at, part)| (at + part.len() - part.trim_start().len(), part.trim()))
        .filter(|(_, part)| !part.is_empty())
        .collect()
}

/// Whether the text after a name makes it a city: `, California 94104`.
pub(super) fn is_city(after: &str) -> bool {
    let after = after.trim_start();
    let Some(after) = after.strip_prefix(',').map(str::trim_start) else { return false };
    let end = |rest: &str| {
        let comma = rest.starts_with(',');
        let rest = rest.trim_start_matches([' ', '.', ',']);
        comma
            || rest.is_empty()
            || rest.starts_with(|c: char| c.is_ascii_digit() || !c.is_alphabetic())
            || rest.starts_with("for ")
    };
    let code = after.get(..2).is_some_and(|two| {
        STATES.iter().any(|state| state.code.to_ascii_uppercase() == two) && end(&after[2..])
    });
    code || STATES.iter().any(|state| after.strip_prefix(state.name).is_some_and(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_firms_and_cities() {
        let names = |text| names_in(text).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names("Ann V. Roe, Roe Poe LLP, San Pedro, California 94104"), ["Ann V. Roe"]);
        assert_eq!(names("Ann V. Roe\nAnn V. Roe\nSan Pedro, CA 94104"), ["Ann V. Roe"; 2]);
    }
}

//! Which documents belong to one case: by docket number and court, in the forms in which courts write a number.

use std::collections::{BTreeMap, BTreeSet};

use super::Groups;

/// For each of the cases' keys (`COURT|DOCKET`, with `-` for a court that is not known), the key that stands for its
/// case: the first in order. Keys are one case if their numbers have one core, and neither their courts nor the offices of
/// the court differ; a number without court or office joins only if one court and one office have a number of that core.
pub(super) fn joined<'k>(keys: &BTreeSet<&'k str>) -> BTreeMap<&'k str, &'k str> {
    let ordered: Vec<&str> = keys.iter().copied().collect();
    let mut groups = Groups::new(ordered.len());
    let mut by_core: BTreeMap<String, BTreeMap<&str, Offices>> = BTreeMap::new();
    for (at, key) in ordered.iter().enumerate() {
        if let Some((court, docket)) = key.split_once('|')
            && let Some((office, core)) = core(docket)
        {
            let courts = by_core.entry(core).or_default();
            courts.entry(court).or_default().entry(office).or_default().push(at);
        }
    }
    for courts in by_core.values() {
        let join = |keys: &[usize], groups: &mut Groups| {
            keys.iter().for_each(|key| groups.join(keys[0], *key));
        };
        for offices in courts.values() {
            let named: Vec<&Vec<usize>> = offices
                .iter()
                .filter(|(office, _)| !office.is_empty())
                .map(|(_, keys)| keys)
                .collect();
            offices.values().for_each(|keys| join(keys, &mut groups));
            if let (Some(unnamed), [one]) = (offices.get(""), named.as_slice()) {
                groups.join(one[0], unnamed[0]);
            }
        }
        let named = courts.iter().filter(|(court, _)| **court != "-");
        let firsts: Vec<usize> =
            named.flat_map(|(_, offices)| offices.values().map(|keys| keys[0])).collect();
        let known: BTreeSet<usize> = firsts.into_iter().map(|key| groups.root(key)).collect();
        let known: Vec<usize> = known.into_iter().collect();
        if let (Some(unnamed), [one]) = (courts.get("-"), known.as_slice()) {
            unnamed.values().for_each(|keys| groups.join(*one, keys[0]));
        }
    }
    (0..ordered.len()).map(|at| (ordered[at], ordered[groups.root(at)])).collect()
}

/// Keys by the office of a district court, which numbers its cases by itself; empty where a number names none.
type Offices = BTreeMap<String, Vec<usize>>;

/// The office of a docket number, and the part that all forms of the number have: `3` and `22-cv-9847` of
/// `3:22-CV-09847-MTO`. `None` for a number that is too short to tell cases apart.
pub(super) fn core(docket: &str) -> Option<(String, String)> {
    let docket = docket.to_lowercase().replace(['–', '—'], "-");
    let (office, number) = match docket.split_once(':') {
        Some((office, rest)) if office.len() <= 2 => (office.to_owned(), rest),
        _ => (String::new(), docket.as_str()),
    };
    let parts: Vec<&str> = number
        .split(|c: char| c == '-' || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .collect();
    if let [year, kind, serial, ..] = parts.as_slice()
        && is_digits(year)
        && kind.chars().all(|c| c.is_ascii_alphabetic())
        && is_digits(serial)
    {
        // Initials of judges follow, and the zeros before the serial number differ. `civ` and `cv` are one kind.
        let kind = match *kind {
            "civ" => "cv",
            "crim" => "cr",
            kind => kind,
        };
        let year = &year[year.len().saturating_sub(2)..];
        return Some((office, format!("{year}-{kind}-{}", serial.trim_start_matches('0'))));
    }
    (number.chars().filter(char::is_ascii_digit).count() >= 5).then(|| (office, parts.join("-")))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_number_are_one_case() {
        let keys = BTreeSet::from([
            "cand|3:22-cv-09847-mto",
            "cand|22-cv-09847",
            "-|3:22-cv-9847",
            "cand|22 civ 9847 (mto)",
            "cand|3:22-cr-09847",
            "nysd|22-cv-09847-lpa",
        ]);
        let joined = joined(&keys);
        assert_eq!(joined["cand|22-cv-09847"], joined["cand|3:22-cv-09847-mto"]);
        assert_eq!(joined["cand|22 civ 9847 (mto)"], joined["cand|3:22-cv-09847-mto"]);
        assert_ne!(joined["cand|3:22-cr-09847"], joined["cand|3:22-cv-09847-mto"]);
        assert_ne!(joined["nysd|22-cv-09847-lpa"], joined["cand|22-cv-09847"]);
        // Two courts have the number, so that it stands for neither.
        assert_eq!(joined["-|3:22-cv-9847"], "-|3:22-cv-9847");
    }

    #[test]
    fn offices_of_a_district_number_by_themselves() {
        let keys =
            BTreeSet::from(["txed|2:22-cv-00100", "txed|6:22-cv-00100-jdk", "txed|22-cv-100"]);
        let joined = joined(&keys);
        assert_ne!(joined["txed|2:22-cv-00100"], joined["txed|6:22-cv-00100-jdk"]);
        assert_eq!(joined["txed|22-cv-100"], "txed|22-cv-100", "it may be either");
    }

    #[test]
    fn a_number_without_a_court_joins_the_only_court_that_has_it() {
        let keys = BTreeSet::from(["-|21-17904", "ca9|21-17904", "-|12", "ca9|12"]);
        let joined = joined(&keys);
        assert_eq!(joined["-|21-17904"], joined["ca9|21-17904"]);
        assert_ne!(joined["-|12"], joined["ca9|12"], "too short to tell cases apart");
    }
}

//! Which documents belong to one case: by docket number and court, in the forms in which courts write a number.

use std::collections::{BTreeMap, BTreeSet};

use super::Groups;

/// For each of the cases' keys (`COURT|DOCKET`, with `-` for a court that is not known), the key that stands for its
/// case: the first in order. Keys are one case if their numbers have one core and their courts do not differ; a number
/// without a court joins only if one court has a number of that core.
pub(super) fn joined<'k>(keys: &BTreeSet<&'k str>) -> BTreeMap<&'k str, &'k str> {
    let ordered: Vec<&str> = keys.iter().copied().collect();
    let mut groups = Groups::new(ordered.len());
    let mut by_core: BTreeMap<String, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
    for (at, key) in ordered.iter().enumerate() {
        if let Some((court, docket)) = key.split_once('|')
            && let Some(core) = core(docket)
        {
            by_core.entry(core).or_default().entry(court).or_default().push(at);
        }
    }
    for courts in by_core.values() {
        let named: Vec<&Vec<usize>> =
            courts.iter().filter(|(court, _)| **court != "-").map(|(_, keys)| keys).collect();
        for keys in &named {
            keys.iter().for_each(|key| groups.join(keys[0], *key));
        }
        if let (Some(unnamed), [one]) = (courts.get("-"), named.as_slice()) {
            unnamed.iter().for_each(|key| groups.join(one[0], *key));
        }
    }
    let root = |at: usize, groups: &mut Groups| ordered[groups.root(at)];
    (0..ordered.len()).map(|at| (ordered[at], root(at, &mut groups))).collect()
}

/// The part of a docket number that all its forms have: `22-cv-9847` of `3:22-CV-09847-MTO`. `None` for a number that is
/// too short to tell cases apart.
fn core(docket: &str) -> Option<String> {
    let docket = docket.to_lowercase().replace(['–', '—'], "-");
    // The office of a district court, before a colon.
    let number = match docket.split_once(':') {
        Some((office, rest)) if office.len() <= 2 => rest,
        _ => docket.as_str(),
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
        return Some(format!("{year}-{kind}-{}", serial.trim_start_matches('0')));
    }
    (number.chars().filter(char::is_ascii_digit).count() >= 5).then(|| parts.join("-"))
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
    fn a_number_without_a_court_joins_the_only_court_that_has_it() {
        let keys = BTreeSet::from(["-|21-17904", "ca9|21-17904", "-|12", "ca9|12"]);
        let joined = joined(&keys);
        assert_eq!(joined["-|21-17904"], joined["ca9|21-17904"]);
        assert_ne!(joined["-|12"], joined["ca9|12"], "too short to tell cases apart");
    }
}

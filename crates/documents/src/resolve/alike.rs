//! Joins names across documents that differ by initials or by a slip of the pen.

use std::collections::BTreeMap;

use super::Groups;
use super::names::{PersonName, is_organisation, person};
use crate::model::EntityKind;

/// Separates a name from the case or document in which it means one entity, in the entity's key.
pub(super) const SCOPE: char = '@';

/// Joins `F. Roe` and `Frank A. Roe` if only one person of the set matches the short form.
pub(super) fn join_people(keys: &[(EntityKind, &str)], groups: &mut Groups) {
    let mut families: BTreeMap<(EntityKind, String), Vec<(usize, PersonName)>> = BTreeMap::new();
    for (at, (kind, key)) in keys.iter().enumerate() {
        if matches!(kind, EntityKind::Judge | EntityKind::Lawyer) && !key.contains(SCOPE) {
            let name = from_key(key);
            families.entry((*kind, name.family.clone())).or_default().push((at, name));
        }
    }
    for members in families.into_values() {
        // A family name that is so frequent in the set does not identify anyone.
        if members.len() > 64 {
            continue;
        }
        for (at, name) in &members {
            // A family name alone is not enough to join across documents.
            if name.given.is_empty() {
                continue;
            }
            let fits: Vec<&(usize, PersonName)> = members
                .iter()
                .filter(|(other, full)| {
                    other != at
                        && !full.given.is_empty()
                        && full.fullness() >= name.fullness()
                        && name.is_compatible(full)
                })
                .collect();
            let agree = fits.iter().all(|(_, a)| fits.iter().all(|(_, b)| a.is_compatible(b)));
            if agree {
                for (other, _) in fits {
                    groups.join(*at, *other);
                }
            }
        }
    }
}

/// Parses a person's key, `roe frank a,jr`.
pub(super) fn from_key(key: &str) -> PersonName {
    let (names, suffix) =
        key.split_once(',').map_or((key, None), |(names, suffix)| (names, Some(suffix)));
    let mut words = names.split(' ');
    let family = words.next().unwrap_or_default();
    let ordered: Vec<&str> = words.chain(std::iter::once(family)).collect();
    let mut name = person(&ordered.join(" "));
    name.suffix = suffix.map(str::to_owned);
    name
}

/// Maximum number of typing errors (optimal string alignment distance) between two spellings of one name:
/// one per twelve letters, at most two.
pub(super) fn slips(length: usize) -> usize {
    (length / 12).min(2)
}

/// Number of neighbours in the sorted list that a name is compared with.
const NEIGHBOURS: usize = 6;

/// Joins misspelt names of companies; names of people are too short for this.
pub(super) fn join_spellings(keys: &[(EntityKind, &str)], groups: &mut Groups) {
    for (at, (kind, key)) in keys.iter().enumerate() {
        if *kind != EntityKind::Party || key.len() < 12 || !is_organisation(key) {
            continue;
        }
        for (other, (other_kind, other_key)) in
            keys.iter().enumerate().skip(at + 1).take(NEIGHBOURS)
        {
            if other_kind != kind {
                break;
            }
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            // Fund III is not Fund II, and District 5 is not District 6, so numbers must match.
            let last = |text: &str| text.rsplit(' ').next().unwrap_or_default().to_owned();
            if digits(key) == digits(other_key)
                && (last(key) == last(other_key))
                && other_key.len() >= 12
                && strsim::osa_distance(key, other_key) <= slips(key.len().min(other_key.len()))
            {
                groups.join(at, other);
            }
        }
    }
}

//! Resolves the mentions of one document.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::decisions::Decisions;
use super::names::{NAMESAKES, PersonName, is_organisation, is_shouted, party_key, person};
use super::own_case::{own_case, plain};
use super::{DocumentEntities, back, entity_id};
use crate::entities::normal_name;
use crate::model::{CanonicalEntity, CitationForm, EntityKind, Mention};
use crate::visible::visible;

/// Joins a document's mentions into entities.
///
/// The result does not depend on the order of the mentions.
pub fn resolve(document: &str, mentions: Vec<Mention>) -> DocumentEntities {
    resolve_with(document, mentions, &Decisions::default())
}

/// As [`resolve`], but names that people keep apart are not joined.
pub fn resolve_with(
    document: &str,
    mut mentions: Vec<Mention>,
    decisions: &Decisions,
) -> DocumentEntities {
    mentions.sort_by_key(|mention| (mention.start, mention.end, mention.kind));
    let mut keys: Vec<Option<(EntityKind, String)>> = vec![None; mentions.len()];
    citations(&mentions, &mut keys);
    for kind in [EntityKind::Judge, EntityKind::Lawyer] {
        people(&mentions, kind, &mut keys);
    }
    parties(&mentions, &mut keys);
    for (at, mention) in mentions.iter().enumerate() {
        if matches!(
            mention.kind,
            EntityKind::Court | EntityKind::DocketNumber | EntityKind::Date | EntityKind::Money
        ) {
            keys[at] = Some((mention.kind, mention.normal.clone()));
        }
    }
    if !decisions.is_empty() {
        apart(&mentions, decisions, &mut keys);
    }
    terms(&mentions, &mut keys);
    build(document, mentions, keys)
}

fn citations(mentions: &[Mention], keys: &mut [Option<(EntityKind, String)>]) {
    for (at, source) in back::sources(mentions).into_iter().enumerate() {
        let Some(source) = source else { continue };
        let Some(parts) = mentions[source].citation() else { continue };
        keys[at] = Some(match parts.form {
            CitationForm::FullCase => (EntityKind::Case, plain(&mentions[source].normal)),
            CitationForm::Reference => {
                (EntityKind::Case, format!("name:{}", plain(&mentions[source].normal)))
            }
            _ => (EntityKind::Citation, plain(&mentions[source].normal)),
        });
    }
}

/// The key that a mention has by its own words, before any rule joins it with others; `None` for references.
fn own_key(mention: &Mention) -> Option<(EntityKind, String)> {
    let key = match (mention.kind, mention.citation()) {
        (EntityKind::Party, _) => party_key(&mention.normal),
        (EntityKind::Judge | EntityKind::Lawyer, _) => person(&mention.normal).key(),
        (EntityKind::Citation, Some(parts)) if parts.form == CitationForm::FullCase => {
            return Some((EntityKind::Case, plain(&mention.normal)));
        }
        (EntityKind::Court | EntityKind::DocketNumber, _) => mention.normal.clone(),
        _ => return None,
    };
    Some((mention.kind, key))
}

/// The id that the form of a mention has by its own words; equal forms have one id in every run.
#[must_use]
pub fn own_id(mention: &Mention) -> Option<String> {
    own_key(mention).map(|(kind, key)| entity_id(kind, &key))
}

/// Gives each mention its own key where that is kept apart from the one that it was joined with.
fn apart(mentions: &[Mention], decisions: &Decisions, keys: &mut [Option<(EntityKind, String)>]) {
    for (mention, joined) in mentions.iter().zip(keys) {
        let (Some(own), Some((kind, key))) = (own_key(mention), joined.as_ref()) else { continue };
        if own != (*kind, key.clone())
            && decisions.are_apart(&entity_id(own.0, &own.1), &entity_id(*kind, key))
        {
            *joined = Some(own);
        }
    }
}

/// A term means whom its definition names; a term for several stays without an entity.
fn terms(mentions: &[Mention], keys: &mut [Option<(EntityKind, String)>]) {
    let named = mentions.iter().enumerate().filter(|(_, one)| {
        matches!(
            one.kind,
            EntityKind::Party | EntityKind::Judge | EntityKind::Lawyer | EntityKind::Court
        )
    });
    let starts: HashMap<usize, usize> = named.map(|(at, one)| (one.start, at)).collect();
    for (at, mention) in mentions.iter().enumerate() {
        let bearer = mention.attributes.term.as_deref().and_then(|term| term.bearer);
        if let Some(bearer) = bearer.and_then(|start| starts.get(&start)) {
            keys[at] = keys[*bearer].clone();
        }
    }
}

/// Judges and lawyers: a family name alone refers to the only person of the document with that
/// name.
fn people(mentions: &[Mention], kind: EntityKind, keys: &mut [Option<(EntityKind, String)>]) {
    let mut by_family: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, mention) in mentions.iter().enumerate().filter(|(_, mention)| mention.kind == kind) {
        by_family.entry(person(&mention.normal).family).or_default().push(at);
    }
    for group in by_family.into_values() {
        let mut bearers: BTreeMap<String, (PersonName, Vec<usize>)> = BTreeMap::new();
        for at in group {
            let name = person(&mentions[at].normal);
            let (_, places) = bearers.entry(name.key()).or_insert_with(|| (name, Vec::new()));
            places.push(at);
        }
        let names: Vec<&PersonName> = bearers.values().map(|(name, _)| name).collect();
        for (own, (name, places)) in &bearers {
            let key = fullest_form(name, &names).unwrap_or_else(|| own.clone());
            places.iter().for_each(|at| keys[*at] = Some((kind, key.clone())));
        }
    }
}

/// The key of the fullest of the names that can be the same person; `None` if two people match, or there are too many
/// bearers of the family name.
fn fullest_form(name: &PersonName, names: &[&PersonName]) -> Option<String> {
    if names.len() > NAMESAKES {
        return None;
    }
    let mut fullest: Vec<&PersonName> =
        names.iter().copied().filter(|other| name.is_compatible(other)).collect();
    fullest.sort_by(|a, b| b.fullness().cmp(&a.fullness()).then(a.key().cmp(&b.key())));
    let best = fullest.first()?;
    fullest.iter().all(|other| other.is_compatible(best)).then(|| best.key())
}

fn parties(mentions: &[Mention], keys: &mut [Option<(EntityKind, String)>]) {
    let all: Vec<(usize, String)> = mentions
        .iter()
        .enumerate()
        .filter(|(_, mention)| mention.kind == EntityKind::Party)
        .map(|(at, mention)| (at, party_key(&mention.normal)))
        .collect();
    let mut distinct: Vec<&str> = all.iter().map(|(_, key)| key.as_str()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    // Longer forms of a name are found by its last and its first word.
    let mut by_word: HashMap<&str, Vec<&str>> = HashMap::new();
    for key in &distinct {
        for word in [key.split(' ').next(), key.split(' ').next_back()].into_iter().flatten() {
            let entry = by_word.entry(word).or_default();
            if entry.last() != Some(key) {
                entry.push(key);
            }
        }
    }
    let best: HashMap<&str, &str> =
        distinct.iter().filter_map(|key| Some((*key, longest_form(key, &by_word)?))).collect();
    for (at, key) in &all {
        let best = best.get(key.as_str()).copied().unwrap_or(key);
        keys[*at] = Some((EntityKind::Party, best.to_owned()));
    }
}

/// The longer form of a party's name that contains all other longer forms; `None` without one, or if too many names
/// begin or end like it.
fn longest_form<'a>(key: &str, by_word: &HashMap<&str, Vec<&'a str>>) -> Option<&'a str> {
    let (before, behind) = (format!("{key} "), format!(" {key}"));
    let mut longer: Vec<&str> = Vec::new();
    for word in [key.split(' ').next(), key.split(' ').next_back()].into_iter().flatten() {
        let candidates = by_word.get(word).map(Vec::as_slice).unwrap_or_default();
        if candidates.len() > NAMESAKES {
            return None;
        }
        for candidate in candidates {
            let extends = candidate.starts_with(&before)
                || (!is_organisation(candidate) && candidate.ends_with(&behind));
            if extends && !longer.contains(candidate) {
                longer.push(candidate);
            }
        }
    }
    longer.sort_by_key(|candidate| std::cmp::Reverse(candidate.len()));
    let best = longer.first().copied()?;
    longer.iter().all(|other| best.contains(other)).then_some(best)
}

fn build(
    document: &str,
    mentions: Vec<Mention>,
    keys: Vec<Option<(EntityKind, String)>>,
) -> DocumentEntities {
    let mut grouped: BTreeMap<(EntityKind, String), Vec<usize>> = BTreeMap::new();
    for (at, key) in keys.into_iter().enumerate() {
        if let Some(key) = key.filter(|(_, key)| !key.is_empty()) {
            grouped.entry(key).or_default().push(at);
        }
    }
    let own = own_case(&mentions);
    if let Some((key, _)) = &own {
        grouped.entry((EntityKind::Case, key.clone())).or_default();
    }
    let mut links = vec![None; mentions.len()];
    let mut entities = Vec::with_capacity(grouped.len());
    let mut entity_keys = Vec::with_capacity(grouped.len());
    let mut case = None;
    for ((kind, key), members) in grouped {
        let index = entities.len();
        for &at in &members {
            links[at] = Some(index);
        }
        let is_own =
            own.as_ref().is_some_and(|(own_key, _)| kind == EntityKind::Case && *own_key == key);
        let (name, aliases) = match (&own, is_own) {
            (Some((_, name)), true) => (name.clone(), Vec::new()),
            _ => names(kind, &key, &mentions, &members),
        };
        let (name, aliases) = shown(&name, &aliases);
        if is_own {
            case = Some(index);
        }
        entities.push(CanonicalEntity {
            id: entity_id(kind, &key),
            kind,
            name,
            aliases,
            mention_count: members.len(),
            documents: vec![document.to_owned()],
        });
        entity_keys.push(key);
    }
    DocumentEntities {
        document: document.to_owned(),
        mentions,
        entities,
        links,
        keys: entity_keys,
        case,
    }
}

/// The names as they are shown; several spellings may be one then.
fn shown(name: &str, aliases: &[String]) -> (String, Vec<String>) {
    let name = visible(name).into_owned();
    let aliases: BTreeSet<String> = aliases
        .iter()
        .map(|alias| visible(alias).into_owned())
        .filter(|one| *one != name)
        .collect();
    (name, aliases.into_iter().collect())
}

/// The fullest name of an entity, and its other names.
fn names(
    kind: EntityKind,
    key: &str,
    mentions: &[Mention],
    members: &[usize],
) -> (String, Vec<String>) {
    let form = |at: usize| -> Option<String> {
        let mention = &mentions[at];
        if mention.kind == EntityKind::Term {
            return None;
        }
        match mention.citation() {
            // Back references have no name.
            Some(parts) => match parts.form {
                CitationForm::FullCase if kind == EntityKind::Case => {
                    match (&parts.plaintiff, &parts.defendant) {
                        (Some(plaintiff), Some(defendant)) => {
                            Some(format!("{plaintiff} v. {defendant}, {}", mention.normal))
                        }
                        (None, Some(subject)) => {
                            Some(format!("In re {subject}, {}", mention.normal))
                        }
                        _ => Some(mention.normal.clone()),
                    }
                }
                CitationForm::Id | CitationForm::Supra | CitationForm::ShortCase => None,
                _ => Some(mention.normal.clone()),
            },
            None if kind == EntityKind::Court => {
                let name = mention.text.split_whitespace().collect::<Vec<_>>().join(" ");
                Some(if is_shouted(&name) { normal_name(&name) } else { name })
            }
            None => Some(mention.normal.clone()),
        }
    };
    // Parallel citations are one case, labelled by its name and the reporter cited first.
    let first = members.iter().copied().filter(|at| {
        kind == EntityKind::Case
            && plain(&mentions[*at].normal) == key
            && mentions[*at].citation().is_some_and(|parts| parts.defendant.is_some())
    });
    let first = longest(first.filter_map(form));
    let mut forms: Vec<String> = members.iter().filter_map(|at| form(*at)).collect();
    forms.sort();
    forms.dedup();
    let best = first.or_else(|| longest(forms.iter().cloned()));
    let name = best.unwrap_or_else(|| {
        members.first().map(|at| mentions[*at].normal.clone()).unwrap_or_default()
    });
    forms.retain(|form| *form != name);
    (name, forms)
}

fn longest(forms: impl Iterator<Item = String>) -> Option<String> {
    forms.max_by(|a, b| a.chars().count().cmp(&b.chars().count()).then(b.cmp(a)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::mentions;

    fn resolved(text: &str) -> DocumentEntities {
        resolve("d", mentions(text))
    }

    fn ids(document: &DocumentEntities, kind: EntityKind) -> Vec<Option<&str>> {
        document
            .mentions
            .iter()
            .zip(&document.links)
            .filter(|(mention, _)| mention.kind == kind)
            .map(|(_, link)| link.map(|at| document.keys[at].as_str()))
            .collect()
    }

    #[test]
    fn back_references_find_their_source() {
        let text =
            "Foo v. Bar, 1 U.S. 1 (1790). Foo, 1 U.S., at 2. Id. at 3. Bar, supra, at 5. Id. at 0.";
        let document = resolved(text);
        assert_eq!(
            ids(&document, EntityKind::Citation),
            [Some("1 u.s. 1"), Some("1 u.s. 1"), Some("1 u.s. 1"), Some("1 u.s. 1"), None]
        );
    }

    #[test]
    fn what_fits_two_sources_fits_none() {
        let text = "Foo v. Bar, 1 U.S. 1. Baz v. Qux, 1 U.S. 20. As said, 1 U.S., at 30.";
        assert_eq!(ids(&resolved(text), EntityKind::Citation)[2], None);
    }

    #[test]
    fn a_family_name_means_the_one_who_bears_it() {
        let document = resolved(
            "[Hon. Ann A. Roe, U.S. District Judge]\n\nJudge Roe held so. Judge Doe did not.",
        );
        assert_eq!(
            ids(&document, EntityKind::Judge),
            [Some("roe ann a"), Some("roe ann a"), Some("doe")]
        );
    }

    #[test]
    fn a_name_that_too_many_bear_stands_for_itself() {
        let judges = |count: usize| -> String {
            let letter = |at: usize| char::from(b'a' + (at % 26) as u8);
            let name = |at: usize| format!("Ba{}{}", letter(at / 26), letter(at));
            let named: Vec<String> =
                (0..count).map(|at| format!("Judge {} Holt dissents.", name(at))).collect();
            named.join("\n\n")
        };
        let entities = |text: &str| {
            let document = resolved(text);
            document.entities.iter().filter(|one| one.kind == EntityKind::Judge).count()
        };
        let one = "\n\nJudge Baaa Quincy Holt concurs.";
        // The fuller form is the same person,
        assert_eq!(entities(&(judges(20) + one)), 20);
        // unless the family name tells nobody apart.
        let many = NAMESAKES + 10;
        assert_eq!(entities(&(judges(many) + one)), many + 1);
    }

    #[test]
    fn the_order_of_mentions_does_not_matter() {
        let text =
            "Foo v. Bar, 1 U.S. 1 (1790). Foo, 1 U.S., at 2. Id. at 3. Judge Ann Roe. Judge Roe.";
        let mut reversed = mentions(text);
        reversed.reverse();
        assert_eq!(resolve("d", reversed), resolved(text));
    }
}

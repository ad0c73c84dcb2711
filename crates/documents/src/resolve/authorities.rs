//! The authorities that a document has cited in full, indexed by the parts that back references repeat.

use std::collections::{BTreeSet, HashMap};

use super::Groups;
use super::names::{NAMESAKES, party_key};
use super::pins::pin_fits;
use crate::entities::{citation_key, usual_code};
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};

/// Names that so many parties bear that they tell nothing of a case when they stand alone.
const TOO_COMMON: [&str; 16] = [
    "united states",
    "state",
    "people",
    "commonwealth",
    "city",
    "county",
    "board",
    "inc",
    "co",
    "corp",
    "llc",
    "the",
    "united",
    "states",
    "town",
    "government",
];

/// Full citations, those of one authority in one group.
pub(super) struct Authorities {
    /// For each full citation, the first of its group.
    own: HashMap<usize, usize>,
    /// The members that differ, by group.
    members: HashMap<usize, Vec<usize>>,
    /// Cases by volume and reporter.
    by_volume: HashMap<String, Vec<usize>>,
    /// Cases by each word of their parties' names.
    by_word: HashMap<String, Vec<usize>>,
    /// Every party of a case, as words.
    parties: HashMap<usize, Vec<String>>,
}

impl Authorities {
    /// Groups the full citations; nothing is cited yet.
    pub(super) fn read(mentions: &[Mention], order: &[usize]) -> Self {
        Self {
            own: groups(mentions, order),
            members: HashMap::new(),
            by_volume: HashMap::new(),
            by_word: HashMap::new(),
            parties: HashMap::new(),
        }
    }

    /// The first full citation of the group that `at` belongs to.
    pub(super) fn group(&self, at: usize) -> Option<usize> {
        self.own.get(&at).copied()
    }

    /// Notes that the text cites the authority here: later references may mean it.
    pub(super) fn cite(&mut self, mentions: &[Mention], at: usize) {
        let (Some(group), Some(parts)) = (self.group(at), mentions[at].citation()) else { return };
        let members = self.members.entry(group).or_default();
        let known = members.iter().any(|member| {
            mentions[*member].citation().is_some_and(|other| {
                (&other.reporter, &other.volume, &other.page)
                    == (&parts.reporter, &parts.volume, &parts.page)
            })
        });
        if !known && members.len() < NAMESAKES {
            members.push(at);
        }
        if matches!(parts.form, CitationForm::FullCase | CitationForm::Journal) {
            let cases = self.by_volume.entry(volume_key(parts)).or_default();
            if cases.last() != Some(&group) && cases.len() <= NAMESAKES && !cases.contains(&group) {
                cases.push(group);
            }
        }
        if !matches!(parts.form, CitationForm::FullCase | CitationForm::Reference) {
            return;
        }
        for name in [&parts.plaintiff, &parts.defendant].into_iter().flatten() {
            let key = party_key(name);
            let parties = self.parties.entry(group).or_default();
            if parties.contains(&key) || parties.len() > NAMESAKES {
                continue;
            }
            for word in key.split(' ').collect::<BTreeSet<_>>() {
                let bearers = self.by_word.entry(word.to_owned()).or_default();
                if !bearers.contains(&group) && bearers.len() <= NAMESAKES {
                    bearers.push(group);
                }
            }
            parties.push(key);
        }
    }

    /// Whether the pin can lie in the authority, by any of the places where it is reported.
    pub(super) fn has_pin(&self, mentions: &[Mention], group: usize, pin: Option<&str>) -> bool {
        self.members.get(&group).is_none_or(|members| {
            members
                .iter()
                .any(|member| mentions[*member].citation().is_none_or(|parts| pin_fits(parts, pin)))
        })
    }

    /// The case that a short citation means: the only one in its volume, or the only one of these with the name.
    pub(super) fn short(&self, mentions: &[Mention], parts: &CitationParts) -> Option<usize> {
        let cases = self.by_volume.get(&volume_key(parts))?;
        if cases.len() > NAMESAKES {
            return None;
        }
        let pin = parts.pin_cite.as_deref();
        let fitting: Vec<usize> =
            cases.iter().copied().filter(|case| self.has_pin(mentions, *case, pin)).collect();
        let named: Vec<usize> = match parts.antecedent.as_deref() {
            Some(name) => cases.iter().copied().filter(|case| self.bears(*case, name)).collect(),
            None => Vec::new(),
        };
        match (&fitting[..], &named[..]) {
            (_, [one]) => Some(*one),
            ([one], []) => Some(*one),
            (_, []) => None,
            // Several bear the name; the page may still tell.
            (fitting, named) => {
                let mut both = named.iter().filter(|case| fitting.contains(case));
                both.next().copied().filter(|_| both.next().is_none())
            }
        }
    }

    /// The only case that a party of this name is in.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        let key = party_key(name.split(" v. ").next().unwrap_or(name));
        let words: Vec<&str> = key.split(' ').filter(|word| word.len() > 1).collect();
        let rarest = words
            .iter()
            .map(|word| self.by_word.get(*word).map_or(&[][..], Vec::as_slice))
            .min_by_key(|bearers| bearers.len())?;
        if rarest.len() > NAMESAKES {
            return None;
        }
        let mut bearers = rarest.iter().copied().filter(|case| self.bears(*case, name));
        bearers.next().filter(|_| bearers.next().is_none())
    }

    /// Whether a party of the case has the name, or the name's words one after the other in its own.
    fn bears(&self, case: usize, name: &str) -> bool {
        let mut sides = name.split(" v. ");
        sides.all(|side| {
            let key = party_key(side);
            if key.is_empty() || TOO_COMMON.contains(&key.as_str()) && !name.contains(" v. ") {
                return false;
            }
            self.parties.get(&case).is_some_and(|parties| {
                parties.iter().any(|party| {
                    party == &key || format!(" {party} ").contains(&format!(" {key} "))
                })
            })
        })
    }
}

fn volume_key(parts: &CitationParts) -> String {
    citation_key(parts.volume.as_deref(), parts.reporter.as_deref().unwrap_or_default(), None)
}

/// For each full citation, the first of its group: equal citations, parallel ones, and a name that only one case
/// bears.
fn groups(mentions: &[Mention], order: &[usize]) -> HashMap<usize, usize> {
    let mut groups = Groups::new(mentions.len());
    let mut first_of: HashMap<String, usize> = HashMap::new();
    let mut chain_of: HashMap<usize, usize> = HashMap::new();
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    let (mut full, mut bare) = (Vec::new(), Vec::new());
    for &at in order {
        let Some(parts) = mentions[at].citation() else { continue };
        let Some(key) = key(&mentions[at], parts) else { continue };
        full.push(at);
        match first_of.get(&key) {
            Some(&first) => groups.join(first, at),
            None => {
                first_of.insert(key, at);
            }
        }
        if parts.form == CitationForm::Reference {
            bare.push(at);
        }
        if parts.form != CitationForm::FullCase {
            continue;
        }
        // Parallel citations share the start of the whole reference.
        if parts.full_start < mentions[at].start {
            match chain_of.get(&parts.full_start) {
                Some(&first) => groups.join(first, at),
                None => {
                    chain_of.insert(parts.full_start, at);
                }
            }
        }
        if parts.plaintiff.is_some() {
            by_name.entry(name_key(parts)).or_default().push(at);
        }
    }
    // A case named in full without a citation is the case of this name, if there is only one. Each list is walked once:
    // a name may be cited and repeated thousands of times.
    let only: HashMap<String, usize> = by_name
        .into_iter()
        .filter_map(|(name, bearers)| {
            let first = *bearers.first()?;
            let root = groups.root(first);
            bearers.iter().all(|other| groups.root(*other) == root).then_some((name, first))
        })
        .collect();
    for at in bare {
        let Some(parts) = mentions[at].citation() else { continue };
        if let Some(first) = only.get(&name_key(parts)) {
            groups.join(*first, at);
        }
    }
    // The first full citation stands for the group, and a name alone only where there is none.
    let mut first_cited: HashMap<usize, usize> = HashMap::new();
    for at in &full {
        if mentions[*at].citation().is_some_and(|parts| parts.form != CitationForm::Reference) {
            first_cited.entry(groups.root(*at)).or_insert(*at);
        }
    }
    full.into_iter()
        .map(|at| {
            let root = groups.root(at);
            (at, first_cited.get(&root).copied().unwrap_or(root))
        })
        .collect()
}

/// The key of a full citation; `None` for what is no source.
fn key(mention: &Mention, parts: &CitationParts) -> Option<String> {
    match parts.form {
        CitationForm::FullCase | CitationForm::Journal => {
            // Two citations with blank pages are not one case.
            let page = parts
                .page
                .as_deref()
                .map_or_else(|| format!("_{}", name_key(parts)), str::to_owned);
            let reporter = parts.reporter.as_deref().unwrap_or_default();
            Some(citation_key(parts.volume.as_deref(), reporter, Some(&page)))
        }
        // `§ 2` alone may belong to any code, so it is neither joined nor a source.
        CitationForm::Statute
        | CitationForm::Regulation
        | CitationForm::Constitution
        | CitationForm::Legislative => {
            let reporter = parts.reporter.as_deref()?;
            let rest = mention.normal.strip_prefix(reporter);
            Some(match rest {
                Some(rest) => format!("{}{}", law_key(reporter), letters(rest)),
                None => letters(&mention.normal.replacen(reporter, &law_key(reporter), 1)),
            })
        }
        CitationForm::Reference if mention.kind == EntityKind::Case => {
            Some(format!("name|{}", name_key(parts)))
        }
        _ => None,
    }
}

/// The one key of a law: codes are cited by their initials too, and the annotated edition has the same sections.
fn law_key(reporter: &str) -> String {
    let key = letters(usual_code(reporter).unwrap_or(reporter));
    key.strip_suffix("ann").map_or(key.clone(), str::to_owned)
}

fn name_key(parts: &CitationParts) -> String {
    let side = |name: &Option<String>| name.as_deref().map(party_key).unwrap_or_default();
    format!("{} v {}", side(&parts.plaintiff), side(&parts.defendant))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use crate::entities::mentions;
    use crate::model::EntityKind;
    use crate::resolve::resolve;

    fn laws(text: &str) -> usize {
        let document = resolve("d", mentions(text));
        document.entities.iter().filter(|one| one.kind == EntityKind::Citation).count()
    }

    #[test]
    fn a_law_is_one_by_its_name_its_initials_and_its_annotated_edition() {
        assert_eq!(
            laws(
                "See Ariz. Rev. Stat. § 13-1105; A.R.S. § 13-1105; Ariz. Rev. Stat. Ann. § 13-1105."
            ),
            1
        );
        assert_eq!(laws("See Ohio Rev. Code § 2305.10; Ohio Rev. Code Ann. § 2305.10."), 1);
        assert_eq!(laws("See Ohio Rev. Code § 2305.10; Ohio Rev. Code § 2305.11."), 2);
    }
}

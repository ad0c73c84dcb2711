//! Resolves citations, short and back references included, to their sources within a document.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Groups;
use super::names::{NAMESAKES, party_key};
use crate::entities::citation_key;
use crate::model::{CitationForm, CitationParts, EntityKind, Mention};

/// For each citation, the index of the full citation (or statute, or named case) that it refers to.
///
/// A short citation refers to the full one with its volume and reporter; name and page decide between
/// several. `Id.` refers to the source of the previous citation, unless its pin page lies before that case
/// begins. A citation that matches two sources stays unresolved (Bluebook rules 4.1 and 10.9).
pub(super) fn sources(mentions: &[Mention]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..mentions.len())
        .filter(|at| {
            matches!(mentions[*at].kind, EntityKind::Citation | EntityKind::Case)
                && mentions[*at].citation().is_some()
        })
        .collect();
    order.sort_by_key(|at| (mentions[*at].start, mentions[*at].end));
    let full = FullCitations::read(mentions, &order);
    let mut sources: Vec<Option<usize>> = vec![None; mentions.len()];
    // The source of the previous citation: `Some(None)` if it is unresolved.
    let mut last: Option<Option<usize>> = None;
    for &at in &order {
        let Some(parts) = mentions[at].citation() else { continue };
        let source = match parts.form {
            CitationForm::FullCase
            | CitationForm::Journal
            | CitationForm::Constitution
            | CitationForm::Statute
            | CitationForm::Regulation => full.own.get(&at).copied(),
            CitationForm::ShortCase => full.short(mentions, at, parts),
            CitationForm::Supra => parts.antecedent.as_deref().and_then(|name| full.named(name)),
            CitationForm::Reference if mentions[at].kind == EntityKind::Case => {
                full.own.get(&at).copied()
            }
            CitationForm::Reference => {
                parts.antecedent.as_deref().and_then(|name| full.named(name))
            }
            CitationForm::Id => last
                .flatten()
                .filter(|source| pin_fits(mentions[*source].citation(), parts.pin_cite.as_deref())),
        };
        sources[at] = source;
        // A bare name in running text does not come between a citation and its `Id.`
        if mentions[at].kind == EntityKind::Citation {
            last = Some(source);
        }
    }
    sources
}

/// Whether a pin page can lie in the case, i.e. not before its first page.
fn pin_fits(source: Option<&CitationParts>, pin: Option<&str>) -> bool {
    let (Some(source), Some(pin)) = (source, pin) else { return true };
    if source.form != CitationForm::FullCase {
        return true;
    }
    let number = |text: &str| -> Option<u32> {
        let digits: String = text
            .chars()
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse().ok()
    };
    // Pages of parallel citations differ, and databases number screens, so only a printed page rules a case
    // out.
    match (source.page.as_deref().and_then(number), number(pin)) {
        (Some(page), Some(pin_page))
            if !pin.contains('*') && !pin.contains('¶') && !pin.contains('§') =>
        {
            pin_page >= page
        }
        _ => true,
    }
}

/// The document's full citations, indexed by the parts that back references repeat.
struct FullCitations {
    /// For each full citation, the first of its group.
    own: HashMap<usize, usize>,
    /// Full citations by volume and reporter: of those that are alike, the first.
    by_volume: HashMap<String, Vec<usize>>,
    /// Groups by words of party names.
    by_name: HashMap<String, BTreeSet<usize>>,
}

impl FullCitations {
    fn read(mentions: &[Mention], order: &[usize]) -> Self {
        let mut groups = Groups::new(mentions.len());
        let mut first_of: HashMap<String, usize> = HashMap::new();
        let mut chain_of: HashMap<usize, usize> = HashMap::new();
        let mut full = Vec::new();
        for &at in order {
            let Some(parts) = mentions[at].citation() else { continue };
            let key = match (parts.form, mentions[at].kind) {
                (CitationForm::FullCase | CitationForm::Journal, _) => {
                    // Two citations with blank pages are not one case.
                    let page = parts
                        .page
                        .as_deref()
                        .map_or_else(|| format!("_{}", name_key(parts)), str::to_owned);
                    citation_key(
                        parts.volume.as_deref(),
                        parts.reporter.as_deref().unwrap_or_default(),
                        Some(&page),
                    )
                }
                (
                    CitationForm::Statute | CitationForm::Regulation | CitationForm::Constitution,
                    _,
                ) => {
                    // `§ 2` alone may belong to any code, so it is neither joined nor a source.
                    if parts.reporter.is_none() {
                        continue;
                    }
                    letters(&mentions[at].normal)
                }
                (CitationForm::Reference, EntityKind::Case) => format!("name|{}", name_key(parts)),
                _ => continue,
            };
            full.push(at);
            match first_of.get(&key) {
                Some(&first) => groups.join(first, at),
                None => {
                    first_of.insert(key, at);
                }
            }
            // Parallel citations share the start of the whole reference.
            if parts.form == CitationForm::FullCase && parts.full_start < mentions[at].start {
                match chain_of.get(&parts.full_start) {
                    Some(&first) => groups.join(first, at),
                    None => {
                        chain_of.insert(parts.full_start, at);
                    }
                }
                // A case named in full elsewhere without a citation is the same case.
                if parts.plaintiff.is_some()
                    && let Some(&named) = first_of.get(&format!("name|{}", name_key(parts)))
                {
                    groups.join(named, at);
                } else if parts.plaintiff.is_some() {
                    first_of.insert(format!("name|{}", name_key(parts)), at);
                }
            }
        }
        let mut by_volume: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_name: HashMap<String, BTreeSet<usize>> = HashMap::new();
        let mut alike = HashSet::new();
        let mut own = HashMap::new();
        for &at in &full {
            let root = groups.root(at);
            own.insert(at, root);
            let Some(parts) = mentions[at].citation() else { continue };
            if parts.form == CitationForm::FullCase {
                let key = citation_key(
                    parts.volume.as_deref(),
                    parts.reporter.as_deref().unwrap_or_default(),
                    None,
                );
                if alike.insert((root, parts.page.as_deref(), parts.defendant.is_none())) {
                    by_volume.entry(key).or_default().push(at);
                }
            }
            if matches!(parts.form, CitationForm::FullCase | CitationForm::Reference) {
                for name in [&parts.plaintiff, &parts.defendant].into_iter().flatten() {
                    for key in name_forms(name) {
                        by_name.entry(key).or_default().insert(root);
                    }
                }
            }
        }
        Self { own, by_volume, by_name }
    }

    fn short(&self, mentions: &[Mention], at: usize, parts: &CitationParts) -> Option<usize> {
        let key = citation_key(
            parts.volume.as_deref(),
            parts.reporter.as_deref().unwrap_or_default(),
            None,
        );
        let candidates = self.by_volume.get(&key).filter(|all| all.len() <= NAMESAKES)?;
        let pin = parts.pin_cite.as_deref();
        let before: Vec<usize> = candidates
            .iter()
            .copied()
            .filter(|full| {
                mentions[*full].start < mentions[at].start
                    && pin_fits(mentions[*full].citation(), pin)
            })
            .collect();
        let mut roots: Vec<usize> =
            before.iter().filter_map(|full| self.own.get(full).copied()).collect();
        roots.sort_unstable();
        roots.dedup();
        if roots.len() > 1 {
            let named = self.by_name.get(&party_key(parts.antecedent.as_deref()?))?;
            // A case in the same volume with an unknown name could be the named one.
            let nameless = before
                .iter()
                .any(|full| mentions[*full].citation().is_some_and(|p| p.defendant.is_none()));
            roots.retain(|root| named.contains(root));
            if nameless {
                return None;
            }
        }
        (roots.len() == 1).then(|| roots[0])
    }

    fn named(&self, name: &str) -> Option<usize> {
        let key = party_key(name);
        let direct = self.by_name.get(&key);
        let bearers = match direct {
            Some(bearers) => bearers,
            // `Roe v. Doe, supra` names both.
            None => {
                let (plaintiff, _) = name.split_once(" v. ")?;
                self.by_name.get(&party_key(plaintiff))?
            }
        };
        bearers.first().copied().filter(|_| bearers.len() == 1)
    }
}

/// The forms under which a party's name is repeated: whole, first word, last word.
fn name_forms(name: &str) -> Vec<String> {
    const TOO_COMMON: [&str; 12] = [
        "united",
        "states",
        "state",
        "people",
        "commonwealth",
        "city",
        "county",
        "board",
        "inc",
        "co",
        "corp",
        "the",
    ];
    let key = party_key(name);
    let words: Vec<&str> = key.split(' ').collect();
    let mut forms = vec![key.clone()];
    for word in [words.first(), words.last()].into_iter().flatten() {
        if word.len() > 2 && !TOO_COMMON.contains(word) {
            forms.push((*word).to_owned());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

fn name_key(parts: &CitationParts) -> String {
    let side = |name: &Option<String>| name.as_deref().map(party_key).unwrap_or_default();
    format!("{} v {}", side(&parts.plaintiff), side(&parts.defendant))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

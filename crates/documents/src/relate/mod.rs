//! Finds relationships between the entities of a document, each with its evidence.

mod events;
mod relations;
mod treatment;

use std::collections::{BTreeSet, HashMap, HashSet};

use relations::Relations;

use crate::model::{CitationForm, EntityKind, Evidence, Mention, Relationship, RelationshipKind};
use crate::resolve::DocumentEntities;

/// When entities count as mentioned together.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RelateOptions {
    /// Maximum distance of two mentions in bytes: about two sentences.
    pub window: usize,
    /// How often two entities must be together.
    pub min_together: usize,
    /// Maximum number of pairs kept per document, the heaviest first.
    pub max_together: usize,
}

impl Default for RelateOptions {
    fn default() -> Self {
        Self { window: 300, min_together: 2, max_together: 200 }
    }
}

/// The relationships in a document. Their ids are of its own entities; after resolving across documents,
/// [`crate::Resolution::rename`] replaces them by the ids of the set.
pub fn relate(document: &DocumentEntities, options: &RelateOptions) -> Vec<Relationship> {
    let mut found = Relations::default();
    if let Some(case) = document.case {
        for (at, mention) in document.mentions.iter().enumerate() {
            let Some(entity) = document.links[at].filter(|entity| *entity != case) else {
                continue;
            };
            let role = match mention.citation() {
                Some(parts) => treatment::stated(parts),
                None => mention.attributes.role.as_deref(),
            };
            let (kind, from, to) = match mention.kind {
                EntityKind::Party => (RelationshipKind::PartyCase, entity, case),
                EntityKind::Judge => (RelationshipKind::JudgeCase, entity, case),
                EntityKind::Citation | EntityKind::Case if is_authority(mention) => {
                    (RelationshipKind::Cites, case, entity)
                }
                _ => continue,
            };
            found.add(kind, from, to, (mention.start, mention.end));
            if let Some(role) = role {
                found.detail((kind, from, to), role);
            }
        }
        court(document, case, &mut found);
    }
    treatment::treated(document, &mut found);
    events::events(document, &mut found);
    lawyers(document, &mut found);
    together(document, options, &mut found);
    found.finish(document)
}

/// Whether a mention is a citation of an authority: a bare name in the caption is the document's
/// own case.
fn is_authority(mention: &Mention) -> bool {
    mention.citation().is_some_and(|parts| {
        parts.form != CitationForm::Reference || mention.kind == EntityKind::Citation
    })
}

/// A court that is named first within this many bytes is that of the document: its caption stands there.
const CAPTION: usize = 3_000;

/// Relates the document's case to its court: the first one that is named, outside of citations, in its caption.
fn court(document: &DocumentEntities, case: usize, found: &mut Relations) {
    let named = document.mentions.iter().zip(&document.links).find_map(|(mention, link)| {
        let is_first = mention.kind == EntityKind::Court && mention.start < CAPTION;
        Some((mention, (*link)?)).filter(|_| is_first)
    });
    if let Some((mention, entity)) = named {
        found.add(RelationshipKind::CaseCourt, case, entity, (mention.start, mention.end));
    }
}

/// Maximum number of different names and roles of parties in which a lawyer's client is looked for: the first ones.
const MAX_PARTIES: usize = 1_000;

/// Relates lawyers to the parties that they represent, given by name or role.
fn lawyers(document: &DocumentEntities, found: &mut Relations) {
    let mut known = HashSet::new();
    let parties: Vec<(usize, PartyForm)> = document
        .mentions
        .iter()
        .enumerate()
        .filter(|(_, mention)| mention.kind == EntityKind::Party)
        .filter_map(|(at, mention)| Some((document.links[at]?, PartyForm::of(mention))))
        .filter(|party| known.insert(party.clone()))
        .take(MAX_PARTIES)
        .collect();
    let mut clients_of: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, lawyer) in
        document.mentions.iter().enumerate().filter(|(_, m)| m.kind == EntityKind::Lawyer)
    {
        let Some(entity) = document.links[at] else { continue };
        for client in &lawyer.attributes.represents {
            let clients = clients_of.entry(client.to_lowercase()).or_insert_with_key(|client| {
                let fits = parties.iter().filter(|(_, party)| party.is_client(client));
                let clients: BTreeSet<usize> = fits.map(|(party, _)| *party).collect();
                clients.into_iter().collect()
            });
            for party in clients {
                found.add(
                    RelationshipKind::LawyerParty,
                    entity,
                    *party,
                    (lawyer.start, lawyer.end),
                );
            }
        }
    }
}

/// A party's name in lower case, and its role.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PartyForm {
    name: String,
    role: String,
}

impl PartyForm {
    fn of(party: &Mention) -> Self {
        let role = party.attributes.role.clone().unwrap_or_default();
        Self { name: party.normal.to_lowercase(), role }
    }

    /// Whether `client` is the party: `appellant` matches a role, `United States` a name.
    fn is_client(&self, client: &str) -> bool {
        let Self { name, role } = self;
        if name == client
            || client.len() > 4
                && (name.starts_with(client) || client.starts_with(name) && name.len() > 4)
        {
            return true;
        }
        let mut words = role.split([' ', '-', ',', '/']).filter(|word| word.len() > 5);
        words.any(|word| client.contains(word))
    }
}

/// Maximum number of following mentions that are compared, so that a list of fifty names does not
/// make a thousand pairs.
const MAX_NEIGHBOURS: usize = 8;

fn together(document: &DocumentEntities, options: &RelateOptions, found: &mut Relations) {
    let spots: Vec<(usize, &Mention)> = document
        .mentions
        .iter()
        .enumerate()
        .filter(|(_, m)| {
            matches!(
                m.kind,
                EntityKind::Party
                    | EntityKind::Judge
                    | EntityKind::Lawyer
                    | EntityKind::Court
                    | EntityKind::Case
                    | EntityKind::Citation
                    | EntityKind::Term
            )
        })
        .filter_map(|(at, mention)| Some((document.links[at]?, mention)))
        .collect();
    let mut together: Vec<((usize, usize), Evidence)> = Vec::new();
    for (at, (one, first)) in spots.iter().enumerate() {
        let mut seen = Vec::with_capacity(MAX_NEIGHBOURS);
        for (other, second) in spots[at + 1..].iter().take(MAX_NEIGHBOURS) {
            if second.start.saturating_sub(first.end) > options.window {
                break;
            }
            if one == other || seen.contains(other) {
                continue;
            }
            seen.push(*other);
            let evidence = Evidence { start: first.start, end: second.end.max(first.end) };
            together.push(((*one.min(other), *one.max(other)), evidence));
        }
    }
    // Sorted rather than in a hash map, whose random access is slow for millions of pairs. Pairs stay in text order.
    together.sort_by_key(|(pair, _)| *pair);
    let groups = together.chunk_by(|(one, _), (other, _)| one == other);
    let mut pairs: Vec<((usize, usize), (Evidence, usize))> = groups
        .filter(|group| group.len() >= options.min_together)
        .filter_map(|group| group.first().map(|(pair, first)| (*pair, (*first, group.len()))))
        .collect();
    // Heaviest first, then by position, so that the cut does not depend on anything else.
    pairs.sort_by(|(a, (ea, ca)), (b, (eb, cb))| cb.cmp(ca).then(ea.cmp(eb)).then(a.cmp(b)));
    pairs.truncate(options.max_together);
    for ((one, other), (evidence, count)) in pairs {
        for _ in 0..count {
            found.add(
                RelationshipKind::MentionedTogether,
                one,
                other,
                (evidence.start, evidence.end),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::mentions;
    use crate::resolve::resolve;

    fn relations(text: &str) -> Vec<(RelationshipKind, String, String)> {
        let document = resolve("d", mentions(text));
        let name = |id: &str| document.entities.iter().find(|e| e.id == id).unwrap().name.clone();
        relate(&document, &RelateOptions::default())
            .iter()
            .map(|r| (r.kind, name(&r.from), name(&r.to)))
            .collect()
    }

    #[test]
    fn a_caption_tells_parties_judges_lawyers_and_authorities() {
        let text = "No. 92-1549\n\n   UNITED STATES OF AMERICA,\n\n      Appellee,\n\n         v.\n\n   CARLOS ROE,\n\n   Defendant, Appellant.\n\n\
            [Hon. Ann A. Poe, U.S. District Judge]\n\nFrank Doe, with whom A. John Moe, was on brief, for appellant.\n\nSee Foo v. Bar, 1 U.S. 1 (1790).";
        let found = relations(text);
        let has = |kind, from: &str, to: &str| {
            found.iter().any(|(k, a, b)| *k == kind && a.contains(from) && b.contains(to))
        };
        assert!(has(RelationshipKind::PartyCase, "Carlos Roe", "92-1549"), "{found:?}");
        assert!(has(RelationshipKind::JudgeCase, "Ann A. Poe", "92-1549"), "{found:?}");
        assert!(has(RelationshipKind::LawyerParty, "Frank Doe", "Carlos Roe"), "{found:?}");
        assert!(has(RelationshipKind::Cites, "92-1549", "1 U.S. 1"), "{found:?}");
    }

    #[test]
    fn a_case_has_its_court_and_a_party_its_role() {
        let text = "UNITED STATES DISTRICT COURT\nNORTHERN DISTRICT OF CALIFORNIA\n\nANN ROE,\n\n      Plaintiff,\n\n  v.\n\n\
            BEN POE,\n\n      Defendant.\n\nCase No. 4:24-cv-00731\n\nThe Supreme Court of Ohio said so.";
        let document = resolve("d", mentions(text));
        let found = relate(&document, &RelateOptions::default());
        let courts: Vec<&Relationship> =
            found.iter().filter(|one| one.kind == RelationshipKind::CaseCourt).collect();
        assert_eq!(courts.len(), 1, "{found:#?}");
        let roles: BTreeSet<&str> = found
            .iter()
            .filter(|one| one.kind == RelationshipKind::PartyCase)
            .filter_map(|one| one.detail.as_deref())
            .collect();
        assert_eq!(roles, BTreeSet::from(["defendant", "plaintiff"]));
    }

    #[test]
    fn together_needs_more_than_one_place() {
        let once = relations("Judge Ann Roe and Judge Ben Poe sat.");
        assert!(!once.iter().any(|(kind, ..)| *kind == RelationshipKind::MentionedTogether));
        let far = "x ".repeat(400);
        let twice = relations(&format!(
            "Judge Ann Roe and Judge Ben Poe sat. {far} Judge Ann Roe and Judge Ben Poe sat."
        ));
        assert!(
            twice.iter().any(|(kind, ..)| *kind == RelationshipKind::MentionedTogether),
            "{twice:?}"
        );
    }
}

//! Joins entities across documents: equal keys first, then spellings that can only mean one entity.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::alike::{SCOPE, from_key, join_people, join_spellings};
use super::decisions::Decisions;
use super::names::{is_organisation, is_shouted};
use super::{DocumentEntities, Groups, cases, entity_id};
use crate::model::{CanonicalEntity, EntityKind, Relationship};

/// The entities of a set of documents.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Resolution {
    /// The entities, by kind and key.
    pub entities: Vec<CanonicalEntity>,
    /// For each document, in the given order, the indexes in `entities` of its own entities.
    pub links: Vec<Vec<usize>>,
    by_local_id: HashMap<String, usize>,
    /// Entities whose name means them only within their case, by document and own id.
    scoped: HashMap<(String, String), usize>,
}

impl Resolution {
    /// The entity of a mention; `document` and `mention` are indexes into the resolved documents.
    pub fn entity_of(
        &self,
        documents: &[DocumentEntities],
        document: usize,
        mention: usize,
    ) -> Option<&CanonicalEntity> {
        let local = documents.get(document)?.links.get(mention).copied().flatten()?;
        self.entities.get(*self.links.get(document)?.get(local)?)
    }

    /// Replaces the documents' own ids in relationships by those of the whole set.
    pub fn rename(&self, relationships: &mut [Relationship]) {
        for relationship in relationships {
            for id in [&mut relationship.from, &mut relationship.to] {
                let scoped = self.scoped.get(&(relationship.document.clone(), id.clone()));
                if let Some(at) = scoped.or_else(|| self.by_local_id.get(id.as_str())) {
                    id.clone_from(&self.entities[*at].id);
                }
            }
        }
    }
}

/// Joins the entities of many documents.
///
/// The result does not depend on the order of the documents. Entities with equal keys are one, but a family name alone
/// means a person only within its case. In addition, people are joined within a family name and companies within a first
/// word, if nothing else matches, and cases by the forms of their docket number. The cost is that of sorting the distinct
/// keys.
pub fn resolve_across(documents: &[DocumentEntities]) -> Resolution {
    resolve_across_with(documents, &Decisions::default())
}

/// As [`resolve_across`], with what people have decided: whoever is joined by them is one, and whoever is kept apart is
/// not joined by any rule. The other entities keep their ids.
pub fn resolve_across_with(documents: &[DocumentEntities], decisions: &Decisions) -> Resolution {
    let cases = cases::joined(&documents.iter().filter_map(own_case).collect());
    let mut distinct = Distinct::new();
    for (document, entities) in documents.iter().enumerate() {
        let case = own_case(entities).and_then(|key| cases.get(key).copied());
        for (local, (entity, key)) in entities.entities.iter().zip(&entities.keys).enumerate() {
            let key = match entity.kind {
                _ if decisions.is_alone(&entity.id, &entities.document) => {
                    Cow::Owned(format!("{key}{SCOPE}{}", entities.document))
                }
                EntityKind::Case => Cow::Borrowed(cases.get(key.as_str()).copied().unwrap_or(key)),
                kind if is_scoped(kind, key) => {
                    let scope = case.unwrap_or(&entities.document);
                    Cow::Owned(format!("{key}{SCOPE}{scope}"))
                }
                _ => Cow::Borrowed(key.as_str()),
            };
            distinct.entry((entity.kind, key)).or_default().push((document, local));
        }
    }
    let keys: Vec<(EntityKind, &str)> =
        distinct.keys().map(|(kind, key)| (*kind, key.as_ref())).collect();
    let members: Vec<&[(usize, usize)]> = distinct.values().map(Vec::as_slice).collect();
    let mut groups = Groups::new(keys.len());
    decided(&keys, decisions, &mut groups);
    join_people(&keys, &mut groups);
    join_family_names(documents, &members, &keys, &cases, &mut groups);
    join_spellings(&keys, &mut groups);
    build(documents, &members, &keys, decisions, &mut groups)
}

/// Applies what people have decided, before any rule.
fn decided(keys: &[(EntityKind, &str)], decisions: &Decisions, groups: &mut Groups) {
    if decisions.is_empty() {
        return;
    }
    let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, (kind, key)) in keys.iter().enumerate() {
        by_id.entry(entity_id(*kind, key)).or_default().push(at);
    }
    // A family name is kept apart from a person in every case.
    let mut by_name = by_id.clone();
    for (at, (kind, key)) in keys.iter().enumerate() {
        if let Some((name, _)) = key.split_once(SCOPE) {
            by_name.entry(entity_id(*kind, name)).or_default().push(at);
        }
    }
    let places = |ids: &HashMap<String, Vec<usize>>, one: &str, other: &str| {
        let (one, other) = (ids.get(one)?, ids.get(other)?);
        let pair = |a: &usize| other.iter().map(|b| (*a, *b)).collect::<Vec<_>>();
        Some(one.iter().flat_map(pair).collect::<Vec<_>>())
    };
    for (one, other) in decisions.apart() {
        for (a, b) in places(&by_name, one, other).into_iter().flatten() {
            groups.keep_apart(a, b);
        }
    }
    for (one, other) in decisions.joined() {
        for (a, b) in places(&by_id, one, other).into_iter().flatten() {
            groups.join(a, b);
        }
    }
}

/// The key of the case that a document belongs to.
fn own_case(document: &DocumentEntities) -> Option<&str> {
    document.keys.get(document.case?).map(String::as_str)
}

/// For each key, the entities that have it: indexes of the document, and of the entity in it.
type Distinct<'k> = BTreeMap<(EntityKind, Cow<'k, str>), Vec<(usize, usize)>>;

/// Whether the key means one entity only within its case: that of a person who is known by a family name only, or of a
/// court without its place.
fn is_scoped(kind: EntityKind, key: &str) -> bool {
    match kind {
        EntityKind::Court => key.starts_with("-/"),
        EntityKind::Judge | EntityKind::Lawyer => from_key(key).given.is_empty(),
        EntityKind::Party => !key.contains(' ') && !is_organisation(key),
        _ => false,
    }
}

/// Joins `Judge Roe` with `Frank A. Roe` if only one person of this name is named in the documents of the case.
fn join_family_names(
    documents: &[DocumentEntities],
    members: &[&[(usize, usize)]],
    keys: &[(EntityKind, &str)],
    cases: &BTreeMap<&str, &str>,
    groups: &mut Groups,
) {
    let case_of =
        |document: usize| own_case(&documents[document]).and_then(|key| cases.get(key).copied());
    let mut named: BTreeMap<(EntityKind, String, &str), BTreeSet<usize>> = BTreeMap::new();
    for (at, (kind, key)) in keys.iter().enumerate() {
        if !matches!(kind, EntityKind::Judge | EntityKind::Lawyer) || key.contains(SCOPE) {
            continue;
        }
        for case in members[at].iter().filter_map(|(document, _)| case_of(*document)) {
            named.entry((*kind, from_key(key).family, case)).or_default().insert(at);
        }
    }
    for (at, (kind, key)) in keys.iter().enumerate() {
        let Some((family, case)) = key.split_once(SCOPE) else { continue };
        let Some(bearers) = named.get(&(*kind, family.to_owned(), case)) else { continue };
        let roots: BTreeSet<usize> = bearers.iter().map(|one| groups.root(*one)).collect();
        if let (1, Some(one)) = (roots.len(), roots.first()) {
            groups.join(*one, at);
        }
    }
}

fn build(
    documents: &[DocumentEntities],
    members: &[&[(usize, usize)]],
    keys: &[(EntityKind, &str)],
    decisions: &Decisions,
    groups: &mut Groups,
) -> Resolution {
    let mut grouped: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..keys.len() {
        grouped.entry(groups.root(at)).or_default().push(at);
    }
    let mut entities = Vec::with_capacity(grouped.len());
    let mut links: Vec<Vec<usize>> =
        documents.iter().map(|document| vec![0; document.entities.len()]).collect();
    let mut by_local_id = HashMap::new();
    let mut scoped = HashMap::new();
    for (root, group) in grouped {
        let kind = keys[root].0;
        // The longest key is the fullest name; the first in order among equals. A family name comes last.
        let key = group
            .iter()
            .map(|at| keys[*at].1)
            .min_by_key(|key| (key.contains(SCOPE), std::cmp::Reverse(key.len()), *key))
            .unwrap_or_default();
        let index = entities.len();
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let mut chosen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut named_in: BTreeSet<&str> = BTreeSet::new();
        let mut count = 0;
        for &(document, local) in group.iter().flat_map(|at| members[*at]) {
            let entity = &documents[document].entities[local];
            names.insert(&entity.name);
            *chosen.entry(&entity.name).or_default() += 1;
            names.extend(entity.aliases.iter().map(String::as_str));
            named_in.insert(&documents[document].document);
            count += entity.mention_count;
            links[document][local] = index;
            if is_scoped(kind, &documents[document].keys[local])
                || decisions.is_alone(&entity.id, &documents[document].document)
            {
                let place = (documents[document].document.clone(), entity.id.clone());
                scoped.insert(place, index);
                continue;
            }
            if !by_local_id.contains_key(&entity.id) {
                by_local_id.insert(entity.id.clone(), index);
            }
        }
        // A case gets the name that most documents use, other entities their fullest one; names in
        // capitals rank last.
        let rank = |name: &str| {
            let votes = if kind == EntityKind::Case { chosen.get(name).copied() } else { None };
            (!is_shouted(name), votes, name.chars().count())
        };
        let name = names
            .iter()
            .copied()
            .max_by(|a, b| rank(a).cmp(&rank(b)).then(b.cmp(a)))
            .unwrap_or_default()
            .to_owned();
        entities.push(CanonicalEntity {
            id: entity_id(kind, key),
            kind,
            aliases: names.into_iter().filter(|alias| *alias != name).map(str::to_owned).collect(),
            name,
            mention_count: count,
            documents: named_in.into_iter().map(str::to_owned).collect(),
        });
    }
    Resolution { entities, links, by_local_id, scoped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::mentions;
    use crate::model::RelationshipKind;
    use crate::relate::{RelateOptions, relate};
    use crate::resolve::{Ruling, resolve};

    fn set() -> Vec<DocumentEntities> {
        let texts = [
            "No. 20-1001\n\nACME WIDGET MANUFACTURING, INC.,\n\nPlaintiff,\n\nv.\n\nJOHN ROE,\n\nDefendant.\n\n[Hon. Frank A. Doe, U.S. District Judge]\nSee Foo v. Bar, 1 U.S. 1 (1790).",
            "No. 21-2002\n\nAcme Widget Manufacturing, Incorporated,\n\nPlaintiff,\n\nv.\n\nJANE ROE,\n\nDefendant.\n\n[Hon. F. Doe, U.S. District Judge]\nSee Foo v. Bar, 1 U. S. 1 (1790).",
            "No. 22-3003\n\nAcme Widgit Manufacturing, Inc.,\n\nPlaintiff,\n\nv.\n\nJOHN POE,\n\nDefendant.\n\n",
        ];
        texts
            .iter()
            .enumerate()
            .map(|(at, text)| resolve(&format!("d{at}"), mentions(text)))
            .collect()
    }

    fn find<'r>(resolution: &'r Resolution, kind: EntityKind, name: &str) -> &'r CanonicalEntity {
        resolution.entities.iter().find(|e| e.kind == kind && e.name.contains(name)).unwrap()
    }

    #[test]
    fn one_company_in_three_spellings() {
        let resolution = resolve_across(&set());
        assert_eq!(find(&resolution, EntityKind::Party, "Acme").documents, ["d0", "d1", "d2"]);
        assert_eq!(find(&resolution, EntityKind::Judge, "Frank").documents, ["d0", "d1"]);
        assert_eq!(find(&resolution, EntityKind::Case, "1 U.S. 1").documents, ["d0", "d1"]);
        // Equal family names do not mean one person.
        assert!(
            resolution
                .entities
                .iter()
                .filter(|e| e.kind == EntityKind::Party && e.name.ends_with("Roe"))
                .count()
                == 2
        );
    }

    /// A paper of the case with this number in one court, signed by a judge.
    fn paper(docket: &str, judge: &str) -> DocumentEntities {
        let text = format!(
            "UNITED STATES DISTRICT COURT\nNORTHERN DISTRICT OF CALIFORNIA\n\nANN ROE,\n\nPlaintiff,\n\nv.\n\n\
             BASALT TRADING LLC,\n\nDefendant.\n\nCase No. {docket}\n\n[Hon. {judge}, U.S. District Judge]\n"
        );
        resolve(&format!("{docket} {judge}"), mentions(&text))
    }

    #[test]
    fn a_family_name_means_a_judge_only_within_the_case() {
        let documents = [
            paper("3:22-cv-09847-MTO", "Miriam T. Oyelaran"),
            paper("22-cv-09847", "Oyelaran"),
            paper("3:23-cv-00011", "Oyelaran"),
        ];
        let resolution = resolve_across(&documents);
        let judges: Vec<(&str, usize)> = resolution
            .entities
            .iter()
            .filter(|one| one.kind == EntityKind::Judge)
            .map(|one| (one.name.as_str(), one.documents.len()))
            .collect();
        assert_eq!(judges, [("Miriam T. Oyelaran", 2), ("Oyelaran", 1)], "{judges:?}");
        // A relationship leads to the judge of its own document.
        for (document, wanted) in
            documents.iter().zip(["Miriam T. Oyelaran", "Miriam T. Oyelaran", "Oyelaran"])
        {
            let mut found = relate(document, &RelateOptions::default());
            resolution.rename(&mut found);
            let hears = found.iter().find(|one| one.kind == RelationshipKind::JudgeCase).unwrap();
            let judge = resolution.entities.iter().find(|one| one.id == hears.from).unwrap();
            assert_eq!(judge.name, wanted);
            assert!(judge.documents.contains(&document.document));
        }
        let numbered =
            |one: &&CanonicalEntity| one.kind == EntityKind::Case && one.name.contains("-CV-");
        let cases: Vec<&str> =
            resolution.entities.iter().filter(numbered).map(|one| one.name.as_str()).collect();
        assert_eq!(cases.len(), 2, "{cases:?}");
    }

    #[test]
    fn decisions_keep_apart_and_join_and_leave_the_others_alone() {
        let documents = set();
        let before = resolve_across(&documents);
        let ids = |resolution: &Resolution, kind| -> Vec<String> {
            let of_kind = resolution.entities.iter().filter(|one| one.kind == kind);
            of_kind.map(|one| one.id.clone()).collect()
        };
        let id = |name: &str| entity_id(EntityKind::Party, &super::super::names::party_key(name));
        let mut decisions = Decisions::default();
        let (right, wrong) =
            (id("Acme Widget Manufacturing, Inc."), id("Acme Widgit Manufacturing, Inc."));
        let number = decisions.add(Ruling::KeepApart, &right, &wrong, "");
        let apart = resolve_across_with(&documents, &decisions);
        assert_eq!(ids(&apart, EntityKind::Party).len(), ids(&before, EntityKind::Party).len() + 1);
        assert_eq!(ids(&apart, EntityKind::Case), ids(&before, EntityKind::Case));
        assert_eq!(ids(&apart, EntityKind::Judge), ids(&before, EntityKind::Judge));
        decisions.add(Ruling::Join, &id("John Roe"), &id("Jane Roe"), "");
        let joined = resolve_across_with(&documents, &decisions);
        assert_eq!(ids(&joined, EntityKind::Party).len(), ids(&before, EntityKind::Party).len());
        decisions.undo(Some(number));
        decisions.undo(None);
        assert_eq!(resolve_across_with(&documents, &decisions), before);
        // One name in two documents may be two people.
        decisions.add(Ruling::Alone, &id("John Roe"), "d0", "");
        let alone = resolve_across_with(&documents, &decisions);
        let roe = alone.entity_of(
            &documents,
            0,
            documents[0].mentions.iter().position(|one| one.normal == "John Roe").unwrap(),
        );
        assert_eq!(roe.unwrap().documents, ["d0"]);
        assert!(!ids(&before, EntityKind::Party).contains(&roe.unwrap().id));
    }

    #[test]
    fn the_order_of_documents_does_not_matter() {
        let forward = set();
        let mut backward = set();
        backward.reverse();
        assert_eq!(resolve_across(&forward).entities, resolve_across(&backward).entities);
    }

    #[test]
    fn a_thousand_documents_take_little_time() {
        let documents: Vec<DocumentEntities> = (0..1000)
            .map(|n| resolve(&format!("d{n}"), mentions(&format!("No. 20-{n:04}\n\nACME NUMBER {n} INC.,\n\nPlaintiff,\n\nv.\n\nJOHN ROE,\n\nDefendant.\n"))))
            .collect();
        let started = std::time::Instant::now();
        let resolution = resolve_across(&documents);
        assert!(resolution.entities.len() > 2000);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}

//! Applies decisions on entities to a folder of results: who is one, who is not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Result;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::{Unreadable, walk_files};
use crate::files::{DocumentFile, write_decisions};
use crate::model::{CanonicalEntity, EntityKind};
use crate::relate::{RelateOptions, relate};
use crate::resolve::{
    Decisions, DocumentEntities, Resolution, own_id, resolve_across_with, resolve_with,
};

/// An entity, or one form of its name, that a decision can be about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Named {
    /// The kind of entity.
    pub kind: EntityKind,
    /// The entity's id.
    pub entity: String,
    /// The id of this form of its name.
    pub form: String,
    /// The form, as a text writes it.
    pub name: String,
}

/// What the results have of the entities that a decision changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Effect {
    /// The entities before that are no longer as they were.
    pub before: Vec<CanonicalEntity>,
    /// What they are now.
    pub after: Vec<CanonicalEntity>,
    /// The documents whose files change, sorted.
    pub documents: Vec<String>,
    /// Files that hold no results.
    #[serde(skip)]
    pub unreadable: Vec<Unreadable>,
}

/// The entities and forms that `name` means: those of that id, or those that a document writes in exactly these words,
/// without regard to capitals.
///
/// # Errors
/// As [`walk`](super::walk).
pub fn forms_named(folder: &Path, name: &str, kind: Option<EntityKind>) -> Result<Vec<Named>> {
    let wanted = plain(name);
    let mut found: BTreeMap<(EntityKind, String, String), String> = BTreeMap::new();
    walk_files(folder, |_, file| {
        let kinds: BTreeMap<&str, (EntityKind, &str)> = file
            .entities
            .iter()
            .map(|one| (one.id.as_str(), (one.kind, one.name.as_str())))
            .collect();
        for resolved in &file.mentions {
            let Some(entity) = &resolved.entity else { continue };
            let Some((of, whole)) = kinds.get(entity.as_str()) else { continue };
            if kind.is_some_and(|kind| kind != *of) {
                continue;
            }
            let mention = &resolved.mention;
            let is_form = plain(&mention.text) == wanted || plain(&mention.normal) == wanted;
            if mention.kind == EntityKind::Term
                || !is_form && entity != name && plain(whole) != wanted
            {
                continue;
            }
            let form = own_id(mention).filter(|_| is_form).unwrap_or_else(|| entity.clone());
            let shown = if is_form { mention.text.as_str() } else { whole };
            let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            found.entry((*of, entity.clone(), form)).or_insert(shown);
        }
        ControlFlow::Continue(())
    })?;
    let mut forms: Vec<Named> = found
        .into_iter()
        .map(|((kind, entity, form), name)| Named { kind, entity, form, name })
        .collect();
    // Of one entity, a form that stands in a text is more exact than the entity's name.
    let exact: BTreeSet<String> =
        forms.iter().filter(|one| one.form != one.entity).map(|one| one.entity.clone()).collect();
    forms.retain(|one| one.form != one.entity || !exact.contains(&one.entity));
    Ok(forms)
}

/// The content hash of the document of this name in the results of a folder.
///
/// # Errors
/// As [`walk`](super::walk).
pub fn document_hash(folder: &Path, name: &str) -> Result<Option<String>> {
    let mut hash = None;
    walk_files(folder, |_, file| {
        if file.document != name {
            return ControlFlow::Continue(());
        }
        hash = Some(file.content_hash);
        ControlFlow::Break(())
    })?;
    Ok(hash)
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The documents of a folder, resolved under some decisions.
struct Resolved {
    documents: Vec<DocumentEntities>,
    resolution: Resolution,
}

impl Resolved {
    fn of(documents: Vec<DocumentEntities>, decisions: &Decisions) -> Self {
        let resolution = resolve_across_with(&documents, decisions);
        Self { documents, resolution }
    }

    /// The entities of a document: those of its own, and those of the set.
    fn entities(&self, at: usize) -> Vec<(&str, &str, &str)> {
        let links = &self.resolution.links[at];
        let own = self.documents[at].entities.iter().zip(links);
        own.map(|(own, link)| {
            let whole = &self.resolution.entities[*link];
            (own.id.as_str(), whole.id.as_str(), whole.name.as_str())
        })
        .collect()
    }
}

/// Applies `new` decisions to the results of a folder in place of `old` ones, and writes them beside the results. With
/// `dry_run` nothing is written. Files whose entities stay as they are are not written.
///
/// The documents are resolved again from their mentions, as a run of `ingest` resolves them.
///
/// # Errors
/// As [`walk`](super::walk); if a file cannot be written.
pub fn decide(folder: &Path, old: &Decisions, new: &Decisions, dry_run: bool) -> Result<Effect> {
    let mut paths: Vec<(PathBuf, String)> = Vec::new();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let unreadable = walk_files(folder, |path, file| {
        let resolved = |decisions| {
            let mentions = file.mentions.iter().map(|one| one.mention.clone()).collect();
            let mut entities = resolve_with(&file.content_hash, mentions, decisions);
            // Mentions take most of the memory, and are in the file.
            entities.mentions = Vec::new();
            entities.links = Vec::new();
            entities
        };
        before.push(resolved(old));
        after.push(resolved(new));
        paths.push((path.to_owned(), file.document.clone()));
        ControlFlow::Continue(())
    })?;
    let (before, after) = (Resolved::of(before, old), Resolved::of(after, new));
    let mut effect = difference(&before.resolution, &after.resolution);
    effect.unreadable = unreadable;
    let changed: Vec<usize> =
        (0..paths.len()).filter(|at| before.entities(*at) != after.entities(*at)).collect();
    effect.documents = changed.iter().map(|at| paths[*at].1.clone()).collect();
    effect.documents.sort();
    let names: BTreeMap<&str, &str> = before
        .documents
        .iter()
        .zip(&paths)
        .map(|(document, (_, name))| (document.document.as_str(), name.as_str()))
        .collect();
    for entity in effect.before.iter_mut().chain(&mut effect.after) {
        for document in &mut entity.documents {
            if let Some(name) = names.get(document.as_str()) {
                *document = (*name).to_owned();
            }
        }
    }
    if dry_run {
        return Ok(effect);
    }
    // First the decisions: a run that ends here leaves files that the same command completes.
    write_decisions(folder, new)?;
    for at in changed {
        let path = &paths[at].0;
        let file = DocumentFile::read(path)?;
        let mentions = file.mentions.into_iter().map(|one| one.mention).collect();
        let entities = resolve_with(&file.content_hash, mentions, new);
        let related = relate(&entities, &RelateOptions::default());
        let mut file = DocumentFile::draft(&file.document, file.text, &entities, related);
        file.finish(&after.resolution, at);
        file.write(path)?;
    }
    Ok(effect)
}

/// The entities that are in one resolution only, or are named in other documents or by other names there.
fn difference(before: &Resolution, after: &Resolution) -> Effect {
    let only = |one: &Resolution, other: &Resolution| -> Vec<CanonicalEntity> {
        let known: BTreeMap<&str, &CanonicalEntity> =
            other.entities.iter().map(|entity| (entity.id.as_str(), entity)).collect();
        let is_other = |entity: &&CanonicalEntity| known.get(entity.id.as_str()) != Some(entity);
        one.entities.iter().filter(is_other).cloned().collect()
    };
    Effect { before: only(before, after), after: only(after, before), ..Effect::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::read_decisions;
    use crate::model::TextSource;
    use crate::resolve::Ruling;
    use crate::results::{Query, find};
    use crate::stages::TextSummary;

    const ONE: &str = "QUILLON FREIGHT, INC.,\n\nPlaintiff,\n\nv.\n\nJOHN ROE,\n\nDefendant.\n\nNo. 20-1001\n\n[Hon. Miriam T. Alder, U.S. District Judge]\nJudge Alder held so.";
    const TWO: &str = "QUILLON FREIGHT, INC.,\n\nPlaintiff,\n\nv.\n\nJOHN ROE,\n\nDefendant.\n\nNo. 21-2002\n\n[Hon. M. T. Alder, U.S. District Judge]\n";

    /// A folder with the results of both papers.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let documents: Vec<DocumentEntities> = [ONE, TWO]
            .iter()
            .enumerate()
            .map(|(at, text)| {
                resolve_with(&format!("{at:032}"), crate::mentions(text), &Decisions::default())
            })
            .collect();
        let resolution = resolve_across_with(&documents, &Decisions::default());
        for (at, document) in documents.iter().enumerate() {
            let text = TextSummary {
                source: TextSource::PlainText,
                pages: 1,
                page_starts: vec![0],
                bytes: 1,
                warnings: vec![],
            };
            let related = relate(document, &RelateOptions::default());
            let mut file = DocumentFile::draft(&format!("{at}.txt"), text, document, related);
            file.finish(&resolution, at);
            file.write(&folder.path().join(format!("{at}.json"))).unwrap();
        }
        folder
    }

    fn contents(folder: &Path) -> Vec<String> {
        ["0.json", "1.json"]
            .iter()
            .map(|name| std::fs::read_to_string(folder.join(name)).unwrap())
            .collect()
    }

    /// The distinct entities that a search finds.
    fn entities(folder: &Path, name: &str, kind: EntityKind) -> usize {
        let mut query = Query::new(name);
        query.kind = Some(kind);
        let hits = find(folder, &query).unwrap().hits;
        hits.into_iter().filter_map(|hit| hit.entity).collect::<BTreeSet<_>>().len()
    }

    #[test]
    fn a_decision_is_seen_at_once_and_undone_without_a_trace() {
        let folder = folder();
        let folder = folder.path();
        let original = contents(folder);
        assert_eq!(entities(folder, "alder", EntityKind::Judge), 1);
        let form = |name: &str| forms_named(folder, name, None).unwrap()[0].clone();
        let (whole, short) = (form("Miriam T. Alder"), form("M. T. Alder"));
        assert_eq!(whole.entity, short.entity);
        let old = read_decisions(folder).unwrap();
        let mut new = old.clone();
        new.add(Ruling::KeepApart, &whole.form, &short.form, "");
        let dry = decide(folder, &old, &new, true).unwrap();
        assert_eq!((dry.before.len(), dry.after.len()), (1, 2), "{dry:?}");
        assert_eq!(contents(folder), original);
        assert_eq!(decide(folder, &old, &new, false).unwrap(), dry);
        assert_eq!(entities(folder, "alder", EntityKind::Judge), 2);
        assert_eq!(read_decisions(folder).unwrap(), new);
        // The other entities are as they were.
        assert_eq!(entities(folder, "quillon", EntityKind::Party), 1);
        decide(folder, &new, &old, false).unwrap();
        assert_eq!(contents(folder), original);
    }

    #[test]
    fn forms_of_one_document_are_kept_apart_too() {
        let folder = folder();
        let folder = folder.path();
        let form = |name: &str| forms_named(folder, name, None).unwrap()[0].clone();
        let mut new = Decisions::default();
        new.add(Ruling::KeepApart, &form("Miriam T. Alder").form, &form("Alder").form, "");
        let effect = decide(folder, &Decisions::default(), &new, false).unwrap();
        assert_eq!(effect.documents, ["0.txt"], "{effect:?}");
        assert_eq!(entities(folder, "alder", EntityKind::Judge), 2);
    }

    #[test]
    fn two_entities_are_joined_and_one_name_is_two_people() {
        let folder = folder();
        let folder = folder.path();
        let form = |name: &str| forms_named(folder, name, None).unwrap()[0].clone();
        let mut new = Decisions::default();
        new.add(Ruling::Join, &form("john roe").entity, &form("Quillon Freight, Inc.").entity, "");
        decide(folder, &Decisions::default(), &new, false).unwrap();
        assert_eq!(entities(folder, "roe", EntityKind::Party), 1);
        assert_eq!(form("john roe").entity, form("Quillon Freight, Inc.").entity);
        let mut other = Decisions::default();
        other.add(Ruling::Alone, &form("john roe").form, &format!("{:032}", 1), "");
        decide(folder, &new, &other, false).unwrap();
        assert_eq!(entities(folder, "john roe", EntityKind::Party), 2);
    }
}

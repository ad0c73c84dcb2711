//! Finds names in the results: each hit with its document, page and the words around it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use super::folder::{Unreadable, walk};
use super::words::{has_all, query_words, words};
use crate::model::{Around, EntityKind, Mention};

/// The name to find.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Query {
    /// The words of the name, all of which a hit has, in any order. A word may end in `*`.
    words: Vec<String>,
    /// The only kind of entity that is looked for; `None` for all.
    pub kind: Option<EntityKind>,
    /// The maximum number of hits.
    pub limit: usize,
}

impl Query {
    /// Every kind of entity, and at most 100 hits.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { words: query_words(name), kind: None, limit: 100 }
    }
}

/// One place that names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Hit {
    /// The document's name.
    pub document: String,
    /// The page, counted from 1.
    pub page: usize,
    /// The first byte in the document's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The kind of entity.
    pub kind: EntityKind,
    /// The entity's id, if the mention was resolved.
    pub entity: Option<String>,
    /// The entity's name, or that of the mention if it was not resolved.
    pub name: String,
    /// The name as it stands in the text.
    pub text: String,
    /// What the text says of it here: the event of a date, the purpose of a sum, the treatment of an authority or the
    /// signal before it, the role of a party or judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated: Option<String>,
    /// The words before and after it.
    #[serde(flatten)]
    pub around: Around,
    /// The extractors that found it; empty if the rules alone were asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// How sure it is, in percent; `None` if the rules alone were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
}

/// The result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The hits, by document and place.
    pub hits: Vec<Hit>,
    /// Whether there are more than the limit.
    pub is_cut: bool,
    /// Files that hold no results.
    pub unreadable: Vec<Unreadable>,
}

/// What the text says of a mention in its place.
fn stated(mention: &Mention) -> Option<String> {
    let attributes = &mention.attributes;
    match mention.citation() {
        Some(parts) => parts.treatments.first().map(|one| &one.what).or(parts.signal.as_ref()),
        None => attributes.event.as_deref().map(|event| &event.what).or(attributes.role.as_ref()),
    }
    .cloned()
    .or_else(|| Some(format!("for {}", attributes.term.as_deref()?.names.join("; "))))
}

/// Finds the query in the results of a folder. A mention is a hit if its own words or those of its entity's name have
/// all words of the query; a date or sum also by the words of its event.
///
/// # Errors
/// As [`walk`].
pub fn find(folder: &Path, query: &Query) -> std::io::Result<Found> {
    let mut found = Found::default();
    let Found { hits, is_cut, .. } = &mut found;
    let unreadable = walk(folder, |file| {
        let names: HashMap<&str, &str> =
            file.entities.iter().map(|entity| (entity.id.as_str(), entity.name.as_str())).collect();
        let kinds: HashMap<&str, EntityKind> =
            file.entities.iter().map(|entity| (entity.id.as_str(), entity.kind)).collect();
        // A document names an entity often, and its name is compared once.
        let mut has_words: HashMap<&str, bool> = HashMap::new();
        for resolved in &file.mentions {
            let mention = &resolved.mention;
            // A term is of the kind of whom it stands for.
            let kind = match resolved.entity.as_deref().and_then(|id| kinds.get(id)) {
                Some(kind) if mention.kind == EntityKind::Term => *kind,
                _ => mention.kind,
            };
            if query.kind.is_some_and(|wanted| wanted != kind) {
                continue;
            }
            let name = resolved.entity.as_deref().and_then(|id| names.get(id).copied());
            let mut is_hit = |text| {
                *has_words.entry(text).or_insert_with(|| has_all(&words(text), &query.words))
            };
            let stated = stated(mention);
            // `filed 2021` finds a date by its event.
            let with_event = || {
                let event = stated.as_deref().filter(|_| mention.attributes.event.is_some());
                event.is_some_and(|event| {
                    has_all(&words(&format!("{event} {}", mention.text)), &query.words)
                })
            };
            if !(is_hit(&mention.text) || name.is_some_and(is_hit) || with_event()) {
                continue;
            }
            if hits.len() >= query.limit {
                *is_cut = true;
                return ControlFlow::Break(());
            }
            hits.push(Hit {
                document: file.document.clone(),
                page: file.text.page_of(mention.start),
                start: mention.start,
                end: mention.end,
                kind: mention.kind,
                entity: resolved.entity.clone(),
                name: name.unwrap_or(&mention.normal).to_owned(),
                text: mention.text.split_whitespace().collect::<Vec<_>>().join(" "),
                stated,
                around: mention.around.clone(),
                sources: mention.sources.clone(),
                confidence: mention.confidence,
            });
        }
        ControlFlow::Continue(())
    })?;
    found.unreadable = unreadable;
    Ok(found)
}

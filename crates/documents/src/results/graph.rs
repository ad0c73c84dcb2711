//! The neighbourhood of an entity over all documents of a folder of results.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;

use super::folder::{Unreadable, walk};
use super::words::{has_all, query_words, words};
use crate::model::{EntityKind, RelationshipKind};

/// The part of the graph that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphOptions {
    /// How many relationships an entity may be away.
    pub depth: usize,
    /// Whether entities that are only mentioned near each other count as related.
    pub together: bool,
    /// Maximum number of relationships, the heaviest first.
    pub limit: usize,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self { depth: 1, together: false, limit: 200 }
    }
}

/// An entity that a name may mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Choice {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: EntityKind,
    /// Its name.
    pub name: String,
    /// The number of documents that name it.
    pub documents: usize,
}

/// A relationship over all documents.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Edge {
    /// How the two are related.
    pub kind: RelationshipKind,
    /// Id of the first entity.
    pub from: String,
    /// Id of the second entity.
    pub to: String,
    /// The role or the like, where a document states one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The number of places that show it.
    pub weight: f64,
    /// The number of documents that show it.
    pub documents: usize,
    /// The first document that shows it.
    pub document: String,
    /// The page of the first place in that document, from 1.
    pub page: usize,
}

/// A neighbourhood.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Graph {
    /// The entity in the middle.
    pub center: String,
    /// The entities, by id.
    pub nodes: BTreeMap<String, Choice>,
    /// The relationships, the heaviest first.
    pub edges: Vec<Edge>,
    /// Whether relationships were left out because of the limit.
    pub is_cut: bool,
    /// Files that hold no results.
    pub unreadable: Vec<Unreadable>,
}

/// The entities that `name` may mean: the one of that id, or else those whose name has all of its words, the most
/// named first. Entities of exactly this name come before all others.
///
/// # Errors
/// As [`walk`].
pub fn named(folder: &Path, name: &str, kind: Option<EntityKind>) -> std::io::Result<Vec<Choice>> {
    let (wanted, plain) = (query_words(name), words(name));
    let mut found: BTreeMap<String, Choice> = BTreeMap::new();
    walk(folder, |file| {
        for entity in &file.entities {
            let is_named = entity.id == name
                || has_all(&words(&entity.name), &wanted)
                || entity.aliases.iter().any(|alias| has_all(&words(alias), &wanted));
            if is_named && kind.is_none_or(|kind| kind == entity.kind) {
                add(&mut found, &entity.id, entity.kind, &entity.name);
            }
        }
        ControlFlow::Continue(())
    })?;
    if let Some(one) = found.remove(name) {
        return Ok(vec![one]);
    }
    let mut choices: Vec<Choice> = found.into_values().collect();
    let is_other = |choice: &Choice| words(&choice.name) != plain;
    choices.sort_by(|a, b| {
        let by_documents = b.documents.cmp(&a.documents).then_with(|| a.name.cmp(&b.name));
        is_other(a).cmp(&is_other(b)).then(by_documents)
    });
    Ok(choices)
}

/// Counts one more document that names the entity.
fn add(nodes: &mut BTreeMap<String, Choice>, id: &str, kind: EntityKind, name: &str) {
    let new = || Choice { id: id.to_owned(), kind, name: name.to_owned(), documents: 0 };
    nodes.entry(id.to_owned()).or_insert_with(new).documents += 1;
}

type Edges = BTreeMap<(RelationshipKind, String, String), Edge>;

/// The neighbourhood of an entity, given by its id. The folder is read once for each step of `depth`, and once more for
/// the names.
///
/// # Errors
/// As [`walk`].
pub fn graph(folder: &Path, center: &str, options: &GraphOptions) -> std::io::Result<Graph> {
    let mut near = BTreeSet::from([center.to_owned()]);
    let mut edges = Edges::new();
    let mut graph = Graph { center: center.to_owned(), ..Graph::default() };
    for _ in 0..options.depth.max(1) {
        edges.clear();
        graph.unreadable = walk(folder, |file| {
            for one in &file.relationships {
                let is_shown = options.together || one.kind != RelationshipKind::MentionedTogether;
                if !is_shown || !(near.contains(&one.from) || near.contains(&one.to)) {
                    continue;
                }
                let new = || Edge {
                    kind: one.kind,
                    from: one.from.clone(),
                    to: one.to.clone(),
                    detail: None,
                    weight: 0.0,
                    documents: 0,
                    document: file.document.clone(),
                    page: file.text.page_of(one.evidence.start),
                };
                let key = (one.kind, one.from.clone(), one.to.clone());
                let edge = edges.entry(key).or_insert_with(new);
                edge.weight += one.weight;
                edge.documents += 1;
                if edge.detail.is_none() {
                    edge.detail.clone_from(&one.detail);
                }
            }
            ControlFlow::Continue(())
        })?;
        near.extend(edges.values().flat_map(|edge| [edge.from.clone(), edge.to.clone()]));
    }
    graph.edges = edges.into_values().collect();
    graph.edges.sort_by(|a, b| {
        let by_weight = b.documents.cmp(&a.documents).then(b.weight.total_cmp(&a.weight));
        by_weight.then_with(|| (a.kind, &a.from, &a.to).cmp(&(b.kind, &b.from, &b.to)))
    });
    graph.is_cut = graph.edges.len() > options.limit;
    graph.edges.truncate(options.limit);
    let shown: BTreeSet<&str> = graph
        .edges
        .iter()
        .flat_map(|edge| [edge.from.as_str(), edge.to.as_str()])
        .chain([center])
        .collect();
    walk(folder, |file| {
        for entity in file.entities.iter().filter(|entity| shown.contains(entity.id.as_str())) {
            add(&mut graph.nodes, &entity.id, entity.kind, &entity.name);
        }
        ControlFlow::Continue(())
    })?;
    Ok(graph)
}

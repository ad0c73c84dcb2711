//! The JSON file of a document, written by `--out`.

use std::path::Path;

use compartment_files::replace;
use serde::{Deserialize, Serialize};

use crate::extractors::Agreement;
use crate::model::{CanonicalEntity, Mention, Relationship};
use crate::resolve::{DocumentEntities, Resolution};
use crate::stages::TextSummary;

/// The file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DocumentFile {
    /// The document's name.
    pub document: String,
    /// The first half of its content's SHA-256: 32 hex digits.
    pub content_hash: String,
    /// Facts about its text.
    pub text: TextSummary,
    /// Id of the case that it belongs to.
    pub case: Option<String>,
    /// Its entities.
    pub entities: Vec<CanonicalEntity>,
    /// Its mentions.
    pub mentions: Vec<ResolvedMention>,
    /// The relationships between its entities.
    pub relationships: Vec<Relationship>,
    /// How the extractors agreed, and their cost; absent if the rules alone were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

/// A mention with its entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResolvedMention {
    /// The mention.
    #[serde(flatten)]
    pub mention: Mention,
    /// Id of its entity, if it could be resolved.
    pub entity: Option<String>,
}

impl DocumentFile {
    /// The file before resolving across documents, with the document's own ids.
    pub(crate) fn draft(
        name: &str,
        text: TextSummary,
        entities: &DocumentEntities,
        relationships: Vec<Relationship>,
    ) -> Self {
        let id = |local: usize| entities.entities.get(local).map(|entity| entity.id.clone());
        let mentions = entities.mentions.iter().zip(&entities.links).map(|(mention, link)| {
            ResolvedMention { mention: mention.clone(), entity: link.and_then(id) }
        });
        Self {
            document: name.to_owned(),
            content_hash: entities.document.clone(),
            text,
            case: entities.case.and_then(id),
            mentions: mentions.collect(),
            entities: entities.entities.clone(),
            relationships,
            agreement: None,
        }
    }

    /// Replaces the document's own ids by those of the whole set. `at` is the document's index in
    /// the resolution.
    pub(crate) fn finish(&mut self, resolution: &Resolution, at: usize) {
        let Some(links) = resolution.links.get(at) else { return };
        let global: std::collections::HashMap<String, &CanonicalEntity> = self
            .entities
            .iter()
            .zip(links)
            .filter_map(|(own, link)| Some((own.id.clone(), resolution.entities.get(*link)?)))
            .collect();
        let rename = |id: &mut String| {
            if let Some(entity) = global.get(id.as_str()) {
                id.clone_from(&entity.id);
            }
        };
        self.case.iter_mut().for_each(rename);
        self.mentions.iter_mut().filter_map(|m| m.entity.as_mut()).for_each(rename);
        resolution.rename(&mut self.relationships);
        for entity in &mut self.entities {
            if let Some(whole) = global.get(entity.id.as_str()) {
                entity.id.clone_from(&whole.id);
                entity.name.clone_from(&whole.name);
            }
        }
    }

    /// Writes the file, so that no reader sees half of it.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        replace(path, |file| Ok(serde_json::to_writer_pretty(file, self)?))
    }

    pub(crate) fn read(path: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}

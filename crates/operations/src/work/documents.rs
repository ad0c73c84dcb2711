//! The documents of a batch, and the entities that were found in them: read from the cache, without making anything.

use std::collections::BTreeMap;

use compartment::cache::{Cache, CacheOptions};
use compartment::database_map::Role;
use compartment::pipeline::BatchRegistry;
use compartment::{Error, ErrorKind};
use compartment_documents::SetSummary;
use compartment_documents::batch::{BATCH_SUMMARY, DocumentEntry};
use compartment_documents::model::{EntityKind, ExtractedText, Mention};
use compartment_documents::stages::{ALL_EXTRACTED_MENTIONS, OCR_RESULT, RESOLVED_MENTIONS};
use serde::Serialize;

use crate::{Operations, Result};

/// Entries of a batch that one call looks at, at most: a search over more goes on with the next call.
const LOOKED_AT: u32 = 20_000;
/// Entries read in one request.
const PAGE: usize = 1_000;
/// Places of an entity that are shown.
const PLACES: usize = 200;
/// Bytes of text around a place.
const AROUND: usize = 160;

/// A document of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BatchDocument {
    /// Its number in the batch.
    pub ordinal: u32,
    /// Its name.
    pub name: String,
    /// The hash of its content.
    pub hash: String,
}

/// Documents of a batch.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DocumentPage {
    /// Those whose name contains the text, in order.
    pub documents: Vec<BatchDocument>,
    /// Where to go on; `None` at the end of the batch.
    pub next: Option<u32>,
    /// The entities of the whole batch, once it is completed.
    pub summary: Option<SetSummary>,
}

/// What was found in a document.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DocumentView {
    /// The hash of its content.
    pub hash: String,
    /// Pages of its text; `None` where its text is not in the cache any more.
    pub pages: Option<usize>,
    /// The size of its text in bytes.
    pub text_bytes: Option<usize>,
    /// Remarks on the quality of the text.
    pub warnings: Vec<String>,
    /// Its entities; `None` where they are not in the cache any more.
    pub entities: Option<Vec<DocumentEntity>>,
}

/// An entity of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DocumentEntity {
    /// Its id, the same in every run.
    pub id: String,
    /// Its kind.
    pub kind: EntityKind,
    /// Its fullest name.
    pub name: String,
    /// All other forms of the name.
    pub aliases: Vec<String>,
    /// How often it is mentioned.
    pub mentions: usize,
}

/// Where the text mentions an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EntityPlace {
    /// The page, from 1.
    pub page: usize,
    /// The first byte in the text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The text before it.
    pub before: String,
    /// The mention itself.
    pub text: String,
    /// The text after it.
    pub after: String,
}

impl Operations {
    /// Documents of a batch from the number `from` on, at most `limit`, whose name contains `search` in any case.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] for a batch that does not exist; the store's.
    pub async fn documents(
        &self,
        batch: &str,
        search: Option<&str>,
        from: u32,
        limit: usize,
    ) -> Result<DocumentPage> {
        let database = self.batch_database().await?;
        let wanted = search.map(str::to_lowercase);
        let mut page = DocumentPage::default();
        let mut at = from;
        loop {
            let entries = database.batch_upkeep().entries(batch, at, PAGE).await?;
            let is_last = entries.is_empty();
            for entry in &entries {
                let ordinal = at;
                at = at.saturating_add(1);
                let Ok(entry) = serde_json::from_slice::<DocumentEntry>(entry) else { continue };
                let fits = |wanted: &String| entry.name.to_lowercase().contains(wanted.as_str());
                if wanted.as_ref().is_none_or(fits) {
                    let (name, hash) = (entry.name, entry.hash);
                    page.documents.push(BatchDocument { ordinal, name, hash });
                }
                if page.documents.len() >= limit {
                    break;
                }
            }
            if is_last {
                break;
            }
            if page.documents.len() >= limit || at - from >= LOOKED_AT {
                page.next = Some(at);
                break;
            }
        }
        page.summary = self.summary(batch).await?;
        Ok(page)
    }

    /// The summary of a completed batch; `None` before, or where the map has no database `results`.
    async fn summary(&self, batch: &str) -> Result<Option<SetSummary>> {
        let databases = self.databases().await?;
        if databases.get(BATCH_SUMMARY.database()).is_err() {
            return Ok(None);
        }
        match databases.read(&BATCH_SUMMARY.key(&[batch])?).await {
            Ok(summary) => Ok(summary),
            // Other code wrote it.
            Err(error) if error.is_about_stored_data() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What was found in a document of a batch.
    ///
    /// # Errors
    /// [`ErrorKind::Unknown`] for a batch that does not exist; the store's.
    pub async fn document(&self, batch: &str, hash: &str) -> Result<DocumentView> {
        let results = self.results(batch, hash).await?;
        let text = results.text().await?;
        let entities = results.entities().await?;
        Ok(DocumentView {
            hash: hash.to_owned(),
            pages: text.as_ref().map(|text| text.pages.len()),
            text_bytes: text.as_ref().map(|text| text.text.len()),
            warnings: text.map(|text| text.warnings.clone()).unwrap_or_default(),
            entities,
        })
    }

    /// Where the text of a document mentions an entity, in order; the first 200 places. `None` where its results are
    /// not in the cache any more.
    ///
    /// # Errors
    /// Those of [`Operations::document`].
    pub async fn entity_places(
        &self,
        batch: &str,
        hash: &str,
        entity: &str,
    ) -> Result<Option<Vec<EntityPlace>>> {
        self.results(batch, hash).await?.places(entity).await
    }

    async fn results(&self, batch: &str, hash: &str) -> Result<StoredResults> {
        let database = self.batch_database().await?;
        let record = BatchRegistry::new(database).get(batch).await?.ok_or_else(|| {
            Error::new(ErrorKind::Unknown, "read batch", format!("there is no batch {batch:?}"))
        })?;
        let databases = self.databases().await?;
        let options = CacheOptions::for_map(databases.map());
        let cache = Cache::open(databases.role(Role::Cache)?, options).await?;
        Ok(StoredResults { cache, versions: record.versions, hash: hash.to_owned() })
    }
}

/// The results of one document in the cache, in the versions of its batch.
struct StoredResults {
    cache: Cache,
    versions: BTreeMap<String, String>,
    hash: String,
}

impl StoredResults {
    fn version(&self, stage: &str) -> &str {
        self.versions.get(stage).map_or("", String::as_str)
    }

    async fn text(&self) -> Result<Option<std::sync::Arc<ExtractedText>>> {
        let key = OCR_RESULT.key(&[self.hash.as_str(), self.version("extract")])?;
        Ok(self.cache.get(&key).await?)
    }

    async fn entities(&self) -> Result<Option<Vec<DocumentEntity>>> {
        let key = RESOLVED_MENTIONS.key(&[self.hash.as_str(), self.version("resolve")])?;
        let Some(resolved) = self.cache.get(&key).await? else { return Ok(None) };
        let mut counts = vec![0; resolved.entities.len()];
        for link in resolved.links.iter().flatten() {
            if let Some(count) = counts.get_mut(*link) {
                *count += 1;
            }
        }
        let entity =
            |(entity, mentions): (&compartment_documents::model::CanonicalEntity, usize)| {
                DocumentEntity {
                    id: entity.id.clone(),
                    kind: entity.kind,
                    name: entity.name.clone(),
                    aliases: entity.aliases.clone(),
                    mentions,
                }
            };
        Ok(Some(resolved.entities.iter().zip(counts).map(entity).collect()))
    }

    async fn places(&self, entity: &str) -> Result<Option<Vec<EntityPlace>>> {
        let key = RESOLVED_MENTIONS.key(&[self.hash.as_str(), self.version("resolve")])?;
        let resolved = self.cache.get(&key).await?;
        let key = ALL_EXTRACTED_MENTIONS.key(&[self.hash.as_str(), self.version("entities")])?;
        let mentions = self.cache.get(&key).await?;
        let (Some(resolved), Some(mentions), Some(text)) = (resolved, mentions, self.text().await?)
        else {
            return Ok(None);
        };
        let index = resolved.entities.iter().position(|one| one.id == entity);
        let linked = mentions.mentions.iter().zip(&resolved.links);
        let places = linked
            .filter(|(_, link)| link.is_some() && **link == index)
            .filter_map(|(mention, _)| place(mention, &text))
            .take(PLACES);
        Ok(Some(places.collect()))
    }
}

/// `None` where the mention is not of this text.
fn place(mention: &Mention, text: &ExtractedText) -> Option<EntityPlace> {
    let (start, end) = (mention.start, mention.end);
    let found = text.text.get(start..end)?;
    let from = text.text.floor_char_boundary(start.saturating_sub(AROUND));
    let to = text.text.ceil_char_boundary(end.saturating_add(AROUND).min(text.text.len()));
    Some(EntityPlace {
        page: text.page_of(start) + 1,
        start,
        end,
        before: text.text.get(from..start)?.to_owned(),
        text: found.to_owned(),
        after: text.text.get(end..to)?.to_owned(),
    })
}

//! Where documents are known: what a ledger has to tell, and the documents that nothing has named yet.

use std::collections::HashMap;

use compartment_core::{Error, Template};
use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::Place;

/// The state of a document: a hash in the batch database, of which the cache has copies.
pub(super) const STATES: &str = "doc:state:{content_hash}";
/// Where documents are known.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct KnownDocuments<'a> {
    /// The database of batches and queues.
    pub batch: &'a Place,
    /// The ledger, if one is configured.
    pub ledger: Option<&'a dyn LedgerDocuments>,
}

impl<'a> KnownDocuments<'a> {
    /// Known to the batches and queues of this place, and to the ledger.
    #[must_use]
    pub fn new(batch: &'a Place, ledger: Option<&'a dyn LedgerDocuments>) -> Self {
        Self { batch, ledger }
    }
}

impl std::fmt::Debug for KnownDocuments<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KnownDocuments({}, ledger: {})", self.batch, self.ledger.is_some())
    }
}

/// The documents that a ledger names.
pub trait LedgerDocuments: Send + Sync {
    /// Calls `mention` with everything that a document was submitted as. An error means that some may be missing.
    fn each<'a>(
        &'a self,
        mention: &'a mut (dyn FnMut(&[u8]) + Send),
    ) -> BoxFuture<'a, Result<(), Error>>;
}

/// Documents that nothing has named yet, each with a bit for each family that has keys of it.
#[derive(Default)]
pub(super) struct Unknown {
    pub(super) ids: HashMap<Vec<u8>, u64>,
    /// The families of which a document was named.
    pub(super) known: u64,
    /// Whether some are named by the path of their file alone, from which no hash of their content can be told.
    pub(super) has_paths: bool,
}

/// A single task, in the queue of its stage.
#[derive(Deserialize)]
struct Task {
    entry: String,
}

impl Unknown {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn has(&self, id: &[u8]) -> bool {
        self.ids.contains_key(id)
    }

    /// Takes off every document that an entry or a task names, as [`Unknown::named_in`] does.
    pub(super) fn submitted(&mut self, text: &[u8]) {
        let task: Option<Task> = serde_json::from_slice(text).ok();
        let entry = task.as_ref().map_or(text, |task| task.entry.as_bytes());
        self.has_paths |= entry.starts_with(b"/");
        self.named_in(entry);
        self.named_in(text);
    }

    /// Takes off every document that `text` names: as a whole, as one of its words, or as one of its JSON strings.
    pub(super) fn named_in(&mut self, text: &[u8]) {
        self.is_named(text);
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        for word in text.split(|byte| !is_word(byte)) {
            self.is_named(word);
        }
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(text) {
            self.named_in_json(&value);
        }
    }

    fn named_in_json(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                // In a key, separators are escaped.
                let escaped = Template::parse("{x}").and_then(|template| template.fill(&[text]));
                escaped.iter().for_each(|text| self.is_named(text.as_bytes()));
            }
            serde_json::Value::Array(all) => all.iter().for_each(|one| self.named_in_json(one)),
            serde_json::Value::Object(all) => all.values().for_each(|one| self.named_in_json(one)),
            _ => {}
        }
    }

    pub(super) fn is_named(&mut self, id: &[u8]) {
        if let Some(families) = self.ids.remove(id) {
            self.known |= families;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_named_by_words_and_by_strings_of_json() {
        let mut unknown = Unknown::default();
        for (id, family) in [("abc1", 1), ("7f-3a", 2), ("a%2Fb", 4), ("left", 8)] {
            unknown.ids.insert(id.into(), family);
        }
        unknown.submitted(br#"["abc1","complaint.pdf","/in/complaint.pdf"]"#);
        unknown.submitted(br#"{"stage":"extract","entry":"[\"7f-3a\",\"x\",\"/x\"]"}"#);
        unknown.named_in(br#"{"document":"a/b"}"#);
        assert!(!unknown.has_paths);
        unknown.named_in(b"leftover right");
        assert_eq!(unknown.ids.keys().collect::<Vec<_>>(), [b"left"]);
        assert_eq!(unknown.known, 7);
        unknown.submitted(b"/in/left.pdf");
        assert!(unknown.is_empty() && unknown.has_paths);
    }
}

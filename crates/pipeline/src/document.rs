//! A document of a batch, as stages see it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use compartment_core::FencingToken;

use crate::StageError;

/// The identity of a document: its subject and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The key of its results, equal for equal content.
    pub subject: String,
    /// The name that people see.
    pub name: String,
}

impl Identity {
    /// An identity of this name, whose results are stored under `subject`.
    #[must_use]
    pub fn new(subject: impl Into<String>, name: impl Into<String>) -> Self {
        Self { subject: subject.into(), name: name.into() }
    }

    /// Uses the entry's text as subject and as name. An entry that is not UTF-8 is written in hexadecimal.
    ///
    /// # Errors
    /// None; the identify function of a pipeline may have some.
    pub fn of_entry(entry: &[u8]) -> Result<Self, StageError> {
        let text = match std::str::from_utf8(entry) {
            Ok(text) => text.to_owned(),
            Err(_) => entry.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        Ok(Self::new(text.clone(), text))
    }
}

/// A document that a stage works on. Cheap to clone.
#[derive(Clone)]
pub struct Document(Arc<Inner>);

struct Inner {
    batch: String,
    ordinal: u32,
    entry: Bytes,
    identity: Identity,
    fence: Option<FencingToken>,
}

impl Document {
    /// The document `ordinal` of a batch. A single task has no batch: pass `""`.
    #[must_use]
    pub fn new(batch: &str, ordinal: u32, entry: Bytes, identity: Identity) -> Self {
        let batch = batch.to_owned();
        Self(Arc::new(Inner { batch, ordinal, entry, identity, fence: None }))
    }

    /// This document with the fencing token of its lock.
    pub(crate) fn fenced(&self, fence: FencingToken) -> Self {
        let Inner { batch, ordinal, entry, identity, .. } = self.0.as_ref();
        let (batch, entry, identity) = (batch.clone(), entry.clone(), identity.clone());
        Self(Arc::new(Inner { batch, ordinal: *ordinal, entry, identity, fence: Some(fence) }))
    }

    /// The batch's name; empty for a single task.
    #[must_use]
    pub fn batch(&self) -> &str {
        &self.0.batch
    }

    /// The document's number in the batch.
    #[must_use]
    pub fn ordinal(&self) -> u32 {
        self.0.ordinal
    }

    /// The entry as it was submitted.
    #[must_use]
    pub fn entry(&self) -> &Bytes {
        &self.0.entry
    }

    /// The entry as text.
    ///
    /// # Errors
    /// The document's failure if the entry is not UTF-8.
    pub fn text(&self) -> Result<&str, StageError> {
        std::str::from_utf8(&self.0.entry).map_err(|error| {
            StageError::new("malformed", format!("the submitted data is not valid UTF-8: {error}"))
        })
    }

    /// The key of its results.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.identity.subject
    }

    /// The name that people see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.identity.name
    }

    /// The token of the document's lock, in an exclusive stage. Store it with the stage's writes to
    /// other systems, so that writes of a later owner can be distinguished from those of an earlier
    /// one.
    #[must_use]
    pub fn fence(&self) -> Option<FencingToken> {
        self.0.fence
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { batch, ordinal, identity, .. } = self.0.as_ref();
        write!(f, "Document({:?}, {batch:?} {ordinal})", identity.name)
    }
}

//! One finding: a fault of a deployment, why it matters there, and its cure.

use serde::{Deserialize, Serialize};

use super::code::{Code, Severity};

/// A fault of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// Its subject.
    pub code: Code,
    /// How serious it is here.
    pub severity: Severity,
    /// The instance of the map that it is about.
    pub instance: String,
    /// The databases of the map that it concerns, or `index 3` for keys that no database of the map has;
    /// empty where it is about the server as a whole.
    pub databases: Vec<String>,
    /// Some of the keys that it is about, escaped as [`crate::escape`] does.
    pub keys: Vec<String>,
    /// About how many keys it concerns, where that is known. Sampled counts are scaled up.
    pub key_count: Option<u64>,
    /// About how many bytes of memory it concerns, where that is known. Sampled sizes are scaled up.
    pub bytes: Option<u64>,
    /// The fault, in a sentence.
    pub what: String,
    /// Why it matters here.
    pub why: String,
    /// The command or setting that mends it.
    pub cure: String,
}

impl Finding {
    pub(super) fn new(code: Code, severity: Severity, what: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            instance: String::new(),
            databases: Vec::new(),
            keys: Vec::new(),
            key_count: None,
            bytes: None,
            what: what.into(),
            why: String::new(),
            cure: String::new(),
        }
    }

    pub(super) fn instance(self, name: &str) -> Self {
        Self { instance: name.to_owned(), ..self }
    }

    pub(super) fn databases<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { databases: names.into_iter().map(str::to_owned).collect(), ..self }
    }

    /// Names some keys; a few are enough to find the others.
    pub(super) fn keys<'a>(self, names: impl IntoIterator<Item = &'a [u8]>) -> Self {
        const SHOWN: usize = 3;
        Self { keys: names.into_iter().take(SHOWN).map(crate::escape).collect(), ..self }
    }

    pub(super) fn key_count(self, count: Option<u64>) -> Self {
        Self { key_count: count, ..self }
    }

    pub(super) fn bytes(self, bytes: Option<u64>) -> Self {
        Self { bytes, ..self }
    }

    pub(super) fn why(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }

    pub(super) fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: cure.into(), ..self }
    }
}

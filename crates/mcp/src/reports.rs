//! The last reports that tools made, which resources show again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// The last reports, by kind.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<BTreeMap<&'static str, Value>>);

impl Reports {
    /// Keeps the newest report of a kind.
    pub(crate) fn keep(&self, kind: &'static str, report: &Value) {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.insert(kind, report.clone());
    }

    /// The last report of a kind.
    pub(crate) fn last(&self, kind: &str) -> Option<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()
    }
}

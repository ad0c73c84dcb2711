//! Which extractors run beside the rules, and what they have cost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::extractor::Extractor;
use super::spent::Spent;

/// Extractors that run beside the rules. Without any, the rules alone find mentions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Extractors {
    /// The extractors; each has a name of its own.
    pub beside: Vec<Arc<dyn Extractor>>,
    /// Maximum number of characters that one request holds. Windows end where chunks do.
    pub window: usize,
    /// Mentions of less confidence are dropped, in percent.
    pub min_confidence: u8,
    /// What they have cost in this process.
    pub spending: Spending,
}

impl Default for Extractors {
    fn default() -> Self {
        Self {
            beside: Vec::new(),
            window: 12_000,
            min_confidence: 50,
            spending: Spending::default(),
        }
    }
}

/// The cost of extractors in this process, by name. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Spending(Arc<Mutex<BTreeMap<&'static str, Spent>>>);

impl Spending {
    /// The cost so far.
    #[must_use]
    pub fn so_far(&self) -> BTreeMap<&'static str, Spent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add(&self, extractor: &'static str, spent: &Spent) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(extractor).or_default().add(spent);
    }

    /// The cost since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &BTreeMap<&'static str, Spent>) -> BTreeMap<&'static str, Spent> {
        let mut now = self.so_far();
        for (name, spent) in &mut now {
            *spent = spent.since(&earlier.get(name).copied().unwrap_or_default());
        }
        now
    }
}

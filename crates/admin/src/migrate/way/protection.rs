//! Whether a source has keys that it never evicts (`BLESS`), and which targets know such keys.

use crate::bless::blessed_keys;
use crate::{Place, Result};

/// Whether there is anything to carry, and which targets take it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protection {
    is_used: bool,
    targets: Vec<bool>,
}

impl Protection {
    /// Whether the source has such keys.
    pub(super) fn is_used(&self) -> bool {
        self.is_used
    }

    /// Whether the numbered target knows such keys.
    pub(super) fn is_known_to(&self, number: usize) -> bool {
        self.targets.get(number).copied().unwrap_or(false)
    }

    /// Asks the servers.
    ///
    /// # Errors
    /// When one cannot be reached.
    pub(crate) async fn of(source: &Place, targets: &[Place]) -> Result<Self> {
        let is_used = blessed_keys(source).await?.is_some_and(|keys| keys > 0);
        let mut known = Vec::new();
        if is_used {
            for target in targets {
                known.push(blessed_keys(target).await?.is_some());
            }
        }
        Ok(Self { is_used, targets: known })
    }

    /// Notes on the targets that do not know such keys.
    pub(crate) fn notes(&self, source: &Place, targets: &[Place]) -> Vec<String> {
        let without = targets.iter().zip(&self.targets).filter(|(_, knows)| !**knows);
        let note = |(target, _): (&Place, &bool)| {
            format!(
                "{source} has keys that it never evicts (BLESS), and {target} does not know that command: \
                 there they are evicted as others are"
            )
        };
        without.map(note).collect()
    }
}

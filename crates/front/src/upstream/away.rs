//! Which servers could not be reached when they were last tried: the threads write it, the figures show it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The names of servers that are away.
#[derive(Debug, Default)]
pub(crate) struct Away(Mutex<BTreeSet<String>>);

impl Away {
    pub(crate) fn set(&self, server: &str, is_away: bool) {
        let mut away = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_away {
            away.insert(server.to_owned());
        } else {
            away.remove(server);
        }
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

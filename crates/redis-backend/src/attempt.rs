//! A request that acquires something, with a unique name by which it can be taken back if its caller drops it.

use std::fmt;

use compartment_core::backend::random;
use compartment_core::{Result, Retry};

/// One attempt. If it is dropped before its answer is known, it is taken back.
pub(crate) struct Attempt<F: FnOnce(String)> {
    name: String,
    take_back: Option<F>,
}

impl<F: FnOnce(String)> fmt::Debug for Attempt<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: FnOnce(String)> Attempt<F> {
    /// An attempt that `take_back` can take back by its name.
    pub(crate) fn new(take_back: F) -> Self {
        Self { name: format!("{:016x}", random()), take_back: Some(take_back) }
    }

    /// The unique name: 16 hexadecimal digits.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Ends the attempt with this answer. It is taken back if the error leaves open whether it was executed.
    pub(crate) fn answered<T>(mut self, answer: &Result<T>) {
        let is_unknown = answer.as_ref().is_err_and(|error| error.retry() == Retry::IfIdempotent);
        if !is_unknown {
            self.take_back = None;
        }
    }
}

impl<F: FnOnce(String)> Drop for Attempt<F> {
    fn drop(&mut self) {
        if let Some(take_back) = self.take_back.take() {
            take_back(std::mem::take(&mut self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use compartment_core::{Error, ErrorKind};

    use super::*;

    #[test]
    fn only_what_is_unknown_is_taken_back() {
        let taken_back = std::cell::RefCell::new(Vec::new());
        let attempt = || Attempt::new(|name| taken_back.borrow_mut().push(name));
        attempt().answered(&Ok(1));
        let failed = |kind| Err::<i32, Error>(Error::new(kind, "lock", "…"));
        attempt().answered(&failed(ErrorKind::Unavailable));
        assert!(taken_back.borrow().is_empty());
        attempt().answered(&failed(ErrorKind::Timeout));
        drop(attempt());
        assert_eq!(taken_back.borrow().len(), 2);
        assert!(taken_back.borrow().iter().all(|name| name.len() == 16));
    }
}

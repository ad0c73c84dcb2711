//! Reads the answers of the batch scripts, part by part.

use compartment_core::backend::shown_name;
use compartment_core::{BatchStatus, Error, Result};
use redis::{FromRedisValue, Value};

use crate::link::Link;

/// The parts of a script's answer after the status word.
pub(crate) struct Answer<'a> {
    parts: std::vec::IntoIter<Value>,
    link: &'a Link,
    operation: &'static str,
    batch: &'a str,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(
        parts: Vec<Value>,
        link: &'a Link,
        operation: &'static str,
        batch: &'a str,
    ) -> Self {
        Self { parts: parts.into_iter(), link, operation, batch }
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn next<T: FromRedisValue>(&mut self) -> Result<T> {
        let part = self.parts.next().and_then(|value| redis::from_redis_value(value).ok());
        part.ok_or_else(|| {
            let what = "the script's answer lacks a part";
            self.unexpected(what)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.len() == 0
    }

    /// The error for an answer that does not have the script's form.
    pub(crate) fn unexpected(&self, what: &str) -> Error {
        self.link.unexpected(self.operation, self.batch, what)
    }

    pub(crate) fn status(&mut self) -> Result<BatchStatus> {
        match self.next::<String>()?.as_str() {
            "open" => Ok(BatchStatus::Open),
            "sealed" => Ok(BatchStatus::Sealed),
            "completed" => Ok(BatchStatus::Completed),
            "cancelled" => Ok(BatchStatus::Cancelled),
            other => {
                let other = shown_name(other);
                let what =
                    format!("a batch has the unknown status {other:?}: a newer version wrote it");
                Err(self.unexpected(&what))
            }
        }
    }
}

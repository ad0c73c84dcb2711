//! Reads strings: one key in a `GET`, many in `MGET`s.
//!
//! Single reads that come together leave together like all requests (see [`crate::wire`]).

use std::sync::Arc;

use bytes::Bytes;
use compartment_core::{ErrorKind, Result};
use futures_util::future::join_all;

use crate::link::Link;
use crate::repeat::Repeat;

/// The maximum number of keys in one `MGET`: with more, other clients notice the delay.
const MAX_KEYS: usize = 256;

type Answer = Result<Option<Bytes>>;

/// The strings of one database.
#[derive(Debug)]
pub(crate) struct Strings {
    link: Arc<Link>,
}

impl Strings {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    pub(crate) async fn get(&self, key: &str) -> Answer {
        let mut command = redis::Cmd::with_capacity(2, key.len() + 16);
        command.arg("GET").arg(self.link.name(key).as_bytes());
        self.link.query(Repeat::Idempotent, "get", key, &command).await
    }

    pub(crate) async fn get_many(
        &self,
        operation: &'static str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::with_capacity(keys.len());
        for some in keys.chunks(MAX_KEYS) {
            for answer in self.each(operation, some).await? {
                values.push(answer?);
            }
        }
        Ok(values)
    }

    /// Reads keys in one request, each with a separate answer; an error applies to all of them.
    async fn each(&self, operation: &'static str, keys: &[String]) -> Result<Vec<Answer>> {
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(self.link.name(key).as_bytes());
        }
        let values: Result<Vec<Option<Bytes>>> =
            self.link.query(Repeat::Idempotent, operation, first, &command).await;
        let values = match values {
            // Redis returns nil for another type. For a server that fails instead, each key is read separately.
            Err(error) if error.kind() == ErrorKind::WrongType => {
                return Ok(join_all(keys.iter().map(|key| self.get(key))).await);
            }
            values => values?,
        };
        if values.len() != keys.len() {
            return Err(self.link.unexpected(operation, first, "MGET answered for too few keys"));
        }
        let mut answers: Vec<Answer> = values.into_iter().map(Ok).collect();
        self.find_other_types(operation, keys, &mut answers).await?;
        Ok(answers)
    }

    /// `MGET` returns nil for a key of another type, but a single read has to fail.
    async fn find_other_types(
        &self,
        operation: &'static str,
        keys: &[String],
        answers: &mut [Answer],
    ) -> Result<()> {
        let is_missing = |answer: &Answer| matches!(answer, Ok(None));
        let missing: Vec<usize> = (0..keys.len()).filter(|at| is_missing(&answers[*at])).collect();
        let Some(first) = missing.first().map(|at| &keys[*at]) else { return Ok(()) };
        let mut exists = redis::cmd("EXISTS");
        for at in &missing {
            exists.arg(self.link.name(&keys[*at]).as_bytes());
        }
        let existing: u64 = self.link.query(Repeat::Idempotent, operation, first, &exists).await?;
        if existing == 0 {
            return Ok(());
        }
        // Rare: a key of another type, or one written between the two requests.
        let ask = |at: &usize| {
            let mut kind = redis::cmd("TYPE");
            kind.arg(self.link.name(&keys[*at]).as_bytes());
            kind
        };
        let commands = missing.iter().map(ask).collect();
        let kinds: Vec<String> =
            self.link.query_many(Repeat::Idempotent, operation, first, commands).await?;
        for (at, kind) in missing.into_iter().zip(kinds) {
            if kind != "none" && kind != "string" {
                answers[at] = Err(self.link.wrong_type(operation, &keys[at]));
            }
        }
        Ok(())
    }
}

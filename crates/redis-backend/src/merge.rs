//! Merges concurrent single reads of one database into `MGET`s.
//!
//! A lone read goes straight out as a `GET`. Reads that arrive while others are on their way wait
//! and leave together as soon as one of those has come back; so the batch grows with the load
//! and there is no timer to wait for. (Measured before it was built: at 64 tasks 1.6 times, at
//! 1,024 tasks up to 3.3 times the throughput; a timer or a queue in front of a lone read costs
//! it up to 30 %.)

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use compartment_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::key_value::wrong_type;
use crate::link::{Link, Repeat};

/// The most keys in one `MGET`: beyond, the server answers other clients noticeably later.
const MOST_KEYS: usize = 256;
/// Requests on their way at once. A second one keeps the server busy while an answer travels; more
/// make the batches smaller. (Measured at 64 and 1,024 tasks: two reach 1.1 to 1.2 times the
/// throughput of four, four 1.1 times that of eight; one is as fast as two on loopback, and a read
/// that arrives behind it waits longer.)
const MOST_IN_FLIGHT: usize = 2;

type Answer = Result<Option<Bytes>>;

#[derive(Debug)]
struct Waiting {
    key: String,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug, Default)]
struct State {
    in_flight: usize,
    waiting: Vec<Waiting>,
}

/// The reads of one database.
#[derive(Debug)]
pub(crate) struct MergedReads {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link: Arc<Link>,
    state: Mutex<State>,
}

/// A request on its way. Dropped when it has come back, or when its caller gave up: in both
/// cases whoever waits may go.
struct InFlight<'a>(&'a Arc<Shared>);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.one_came_back();
    }
}

impl MergedReads {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { shared: Arc::new(Shared { link, state: Mutex::default() }) }
    }

    pub(crate) async fn get(&self, key: &str) -> Answer {
        let waiting = {
            let mut state = self.shared.lock();
            if state.in_flight < MOST_IN_FLIGHT {
                state.in_flight += 1;
                None
            } else {
                let (sender, receiver) = oneshot::channel();
                state.waiting.push(Waiting { key: key.to_owned(), answer: sender });
                Some(receiver)
            }
        };
        match waiting {
            None => {
                let _in_flight = InFlight(&self.shared);
                self.shared.get_one(key).await
            }
            // The sender is dropped unanswered only when the runtime is shut down.
            Some(receiver) => receiver.await.unwrap_or_else(|_| Err(self.shared.shut_down(key))),
        }
    }

    pub(crate) async fn get_many(
        &self,
        operation: &'static str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::with_capacity(keys.len());
        for some in keys.chunks(MOST_KEYS) {
            values.extend(self.shared.get_batch(operation, some).await?);
        }
        Ok(values)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn one_came_back(self: &Arc<Self>) {
        let batch = {
            let mut state = self.lock();
            if state.waiting.is_empty() {
                state.in_flight -= 1;
                return;
            }
            // Its place is taken by the next batch.
            let count = state.waiting.len().min(MOST_KEYS);
            state.waiting.drain(..count).collect::<Vec<_>>()
        };
        let shared = Arc::clone(self);
        // Dropped outside a runtime, which is shutting down: who waits is told by its receiver.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            self.lock().in_flight -= 1;
            return;
        };
        runtime.spawn(async move {
            let _in_flight = InFlight(&shared);
            shared.answer_batch(batch).await;
        });
    }

    async fn answer_batch(&self, batch: Vec<Waiting>) {
        // Who gave up need not be asked for.
        let (keys, answers): (Vec<String>, Vec<oneshot::Sender<Answer>>) = batch
            .into_iter()
            .filter(|waiting| !waiting.answer.is_closed())
            .map(|waiting| (waiting.key, waiting.answer))
            .unzip();
        match self.get_batch("get", &keys).await {
            Ok(values) => {
                for (answer, value) in answers.into_iter().zip(values) {
                    let _ = answer.send(Ok(value));
                }
            }
            // One key of another type fails the batch; each is asked for by itself, and gets its
            // own error or answer.
            Err(_) => {
                let each = keys.iter().zip(answers).map(|(key, answer)| async move {
                    let _ = answer.send(self.get_one(key).await);
                });
                futures_util::future::join_all(each).await;
            }
        }
    }

    async fn get_one(&self, key: &str) -> Answer {
        let mut command = redis::Cmd::with_capacity(2, key.len() + 16);
        command.arg("GET").arg(self.link.name(key).as_bytes());
        self.link.query(Repeat::Idempotent, "get", key, &command).await
    }

    async fn get_batch(
        &self,
        operation: &'static str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>> {
        let Some(first) = keys.first() else { return Ok(Vec::new()) };
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(self.link.name(key).as_bytes());
        }
        let values: Vec<Option<Bytes>> =
            self.link.query(Repeat::Idempotent, operation, first, &command).await?;
        if values.len() != keys.len() {
            return Err(self.link.unexpected(operation, first, "MGET answered for too few keys"));
        }
        self.check_types(operation, keys, &values).await?;
        Ok(values)
    }

    /// `MGET` answers nil for a key of another type; a single read has to fail.
    async fn check_types(
        &self,
        operation: &'static str,
        keys: &[String],
        values: &[Option<Bytes>],
    ) -> Result<()> {
        let missing: Vec<&String> =
            keys.iter().zip(values).filter(|(_, v)| v.is_none()).map(|(key, _)| key).collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let mut exists = redis::cmd("EXISTS");
        for key in &missing {
            exists.arg(self.link.name(key).as_bytes());
        }
        let existing: u64 = self.link.query(Repeat::Idempotent, operation, first, &exists).await?;
        if existing == 0 {
            return Ok(());
        }
        // Rare: a key of another type, or one written between the two requests.
        for key in missing {
            let mut kind = redis::cmd("TYPE");
            kind.arg(self.link.name(key).as_bytes());
            let kind: String = self.link.query(Repeat::Idempotent, operation, key, &kind).await?;
            if kind != "none" && kind != "string" {
                return Err(wrong_type(&self.link, operation, key));
            }
        }
        Ok(())
    }

    fn shut_down(&self, key: &str) -> Error {
        self.link.contract.error(
            ErrorKind::Interrupted,
            "get",
            key,
            "the runtime was shut down while the read was waiting",
        )
    }
}

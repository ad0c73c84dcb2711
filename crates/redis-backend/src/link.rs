//! The requests of a database, including its budget and its previous place.

use std::ops::Deref;
use std::sync::Arc;

use compartment_core::Result;
use redis::{Cmd, FromRedisValue, Value};

use crate::background;
use crate::budget::{Budget, Room, about};
use crate::previous::{self, Arrival};
use crate::repeat::{BACKOFF, Repeat};
use crate::requests::{Requests, read};
use crate::script::{JoinedCall, ScriptTarget};

/// The state shared by the stores of one database.
#[derive(Debug)]
pub(crate) struct Link {
    requests: Arc<Requests>,
    /// The database's previous place, while it moves.
    arrival: Option<Arrival>,
    /// The memory budget, if it is enforced.
    pub(crate) budget: Option<Budget>,
}

impl Deref for Link {
    type Target = Requests;

    fn deref(&self) -> &Requests {
        &self.requests
    }
}

impl Link {
    pub(crate) fn new(requests: Requests) -> Self {
        Self { requests: Arc::new(requests), arrival: None, budget: None }
    }

    /// The plain requests, without budget and previous place.
    pub(crate) fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// Enforces a memory budget.
    pub(crate) fn within(mut self, budget: Option<Budget>) -> Self {
        self.budget = budget;
        self
    }

    /// Call this before a key gets this many more bytes. The room is reserved until the write is done.
    pub(crate) async fn make_room(&self, key: &str, bytes: usize) -> Option<Room<'_>> {
        let budget = self.budget.as_ref()?;
        Some(budget.before_write(&self.requests, 1, about(key.len(), bytes)).await)
    }

    /// Makes room for counters with names of these lengths; they are small enough to be written in one request.
    pub(crate) async fn make_room_for_counters(
        &self,
        names: impl ExactSizeIterator<Item = usize>,
    ) -> Option<Room<'_>> {
        let budget = self.budget.as_ref()?;
        let (keys, bytes) = (names.len() as u64, names.map(|name| about(name, 0)).sum());
        Some(budget.before_write(&self.requests, keys, bytes).await)
    }

    /// Call this before keys with names and values of these lengths are written. Returns how many of them there is
    /// room for now, at least one.
    pub(crate) async fn make_room_for_some(
        &self,
        lengths: impl ExactSizeIterator<Item = (usize, usize)>,
    ) -> (usize, Option<Room<'_>>) {
        let Some(budget) = &self.budget else { return (lengths.len(), None) };
        let (mut count, mut bytes) = (0, 0);
        for (name, value) in lengths {
            let more = about(name, value);
            if count > 0 && bytes + more > budget.max_at_once() {
                break;
            }
            (count, bytes) = (count + 1, bytes + more);
        }
        (count, Some(budget.before_write(&self.requests, count as u64, bytes).await))
    }

    /// Moves keys from the database's previous place.
    pub(crate) fn arriving(mut self, arrival: Arrival) -> Self {
        self.arrival = Some(arrival);
        self
    }

    /// The database's previous place, while it moves.
    pub(crate) fn arrival(&self) -> Option<&Arrival> {
        self.arrival.as_ref()
    }

    /// Runs `work` on the library's own thread until it succeeds or fails permanently. Only `Databases::close` waits
    /// for it. The database is kept open for the first attempt, and released between later attempts.
    pub(crate) fn in_background<F>(self: &Arc<Self>, work: impl Fn(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = Result<()>> + Send,
    {
        let (mut open, weak) = (Some(Arc::clone(self)), Arc::downgrade(self));
        let until_done = async move {
            let mut failures = 0;
            // A hanging server may still execute an earlier request, so attempts continue until it answers.
            while let Some(link) = open.take().or_else(|| weak.upgrade()) {
                match work(link).await {
                    Ok(()) => return,
                    Err(error) if background::may_pass(error.kind(), failures) => {
                        tracing::debug!(%error, "background work is tried again");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a caller gave up, and what it had asked for stays");
                        return;
                    }
                }
                tokio::time::sleep(BACKOFF.after(failures + 1)).await;
                failures += 1;
            }
        };
        background::spawn(self.unfinished.begin(), until_done);
    }

    /// Sends a command about `key`.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> Result<T> {
        let Some(wrapped) = self.wrapped(command) else {
            return self.query_plain(repeat, operation, key, command).await;
        };
        let answer: Value = self.query_plain(repeat, operation, key, &wrapped).await?;
        let (answer, brought) = previous::unwrap(answer);
        self.traffic.brought(brought);
        read(answer).map_err(|error| self.refused(operation, key, &error))
    }

    /// The command as a script that moves its keys first; `None` if no key can be in the previous place.
    fn wrapped(&self, command: &Cmd) -> Option<Cmd> {
        self.arrival.as_ref()?.wrap(command)
    }

    /// Sends many commands; returns all answers, or the first error. `key` stands for them in errors.
    pub(crate) async fn query_many<T: FromRedisValue>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        commands: Vec<Cmd>,
    ) -> Result<Vec<T>> {
        let answers = self.query_many_raw(repeat, operation, key, commands).await?;
        let read_all: Result<Vec<T>, _> = answers.into_iter().map(read).collect();
        read_all.map_err(|error| self.refused(operation, key, &error))
    }

    async fn query_many_raw(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>> {
        if self.arrival.is_none() {
            return self.query_many_plain(repeat, operation, key, &commands).await;
        }
        let (commands, is_wrapped): (Vec<Cmd>, Vec<bool>) = commands
            .into_iter()
            .map(|command| match self.wrapped(&command) {
                Some(wrapped) => (wrapped, true),
                None => (command, false),
            })
            .unzip();
        let answers = self.query_many_plain(repeat, operation, key, &commands).await?;
        let each = answers.into_iter().zip(is_wrapped).map(|(answer, is_wrapped)| {
            if !is_wrapped {
                return answer;
            }
            let (answer, brought) = previous::unwrap(answer);
            self.traffic.brought(brought);
            answer
        });
        Ok(each.collect())
    }
}

impl ScriptTarget for Link {
    fn wants_text(&self) -> bool {
        // The combined script also moves the keys, so it needs the text.
        self.arrival.is_some()
    }

    fn name_of(&self, key: &str) -> String {
        self.name(key).into_owned()
    }

    async fn send<T: FromRedisValue + Send>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> Result<T> {
        self.query(repeat, operation, key, command).await
    }

    fn joins(&self) -> bool {
        self.arrival.is_none() && self.requests.joins()
    }

    async fn send_joined<T: FromRedisValue + Send>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> Result<JoinedCall<T>> {
        self.requests.send_joined(repeat, operation, key, command).await
    }

    async fn send_each<T: FromRedisValue + Send>(
        &self,
        operation: &'static str,
        commands: Vec<(String, Cmd)>,
    ) -> Result<Vec<Result<T>>> {
        let (keys, commands): (Vec<String>, Vec<Cmd>) = commands.into_iter().unzip();
        let first = keys.first().map_or("", String::as_str);
        let repeat = Repeat::OnlyIfNotSent;
        let answers = self.query_many_raw(repeat, operation, first, commands).await?;
        Ok(self.read_each(operation, &keys, answers))
    }
}

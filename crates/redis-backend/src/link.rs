//! A database's way to its server: its connections, its prefix, and what may be sent again.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use compartment_core::{
    Clock, Contract, Error, ErrorKind, Expiry, Result, Traffic, TtlRule, Unfinished,
};
use redis::{Cmd, FromRedisValue, Value};

use crate::RedisConfig;
use crate::backend::Share;
use crate::background;
use crate::budget::{Budget, Room, about};
use crate::connector::Wire;
use crate::error::{Phase, convert};
use crate::line::Line;
use crate::previous::{self, Arrival};
use crate::probe::{ServerInfo, Topology};
use crate::repeat::{Repeat, longest_pauses, pause_before_retry};
use crate::request_size::{MAX_VALUE_BYTES, check_size, size};

/// What the stores of one database share.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) contract: Arc<Contract>,
    pub(crate) traffic: Arc<Traffic>,
    /// What goes on after its caller has gone.
    pub(crate) unfinished: Unfinished,
    pub(crate) is_cluster: bool,
    /// The most bytes of one argument that the server takes.
    max_value_bytes: u64,
    /// The first is for small requests, the others for large ones.
    lines: Vec<Line>,
    /// Held for as long as the connections are.
    _share: Share,
    next_large_line: AtomicUsize,
    retries: u32,
    /// How long one answer may take.
    response_timeout: Duration,
    clock: Option<Arc<dyn Clock>>,
    /// Where its keys were, while it moves.
    arrival: Option<Arrival>,
    /// What its keys may take, where that is held.
    pub(crate) budget: Option<Budget>,
}

/// Requests with more bytes than this go by a connection of their own, where there is one, and so
/// never stand in front of small ones. Small ones keep together: the more of them there are on one
/// connection, the fewer writes and reads of the network each takes. (Measured at 1,024 tasks: sets
/// dealt out to two connections in turn reach 0.7 of one connection's throughput.)
const SMALL_REQUEST: usize = 16 * 1_024;

impl Link {
    pub(crate) fn new(
        contract: Arc<Contract>,
        lines: Vec<Line>,
        share: Share,
        info: &ServerInfo,
        config: &RedisConfig,
    ) -> Self {
        Self {
            contract,
            traffic: Arc::new(Traffic::default()),
            unfinished: Unfinished::default(),
            is_cluster: info.topology == Topology::Cluster,
            max_value_bytes: info.max_value_bytes.unwrap_or(MAX_VALUE_BYTES),
            lines,
            _share: share,
            next_large_line: AtomicUsize::new(0),
            retries: config.retries,
            response_timeout: config.response_timeout,
            clock: config.clock.clone(),
            arrival: None,
            budget: None,
        }
    }

    /// The same, of a database that is kept within a budget.
    pub(crate) fn within(mut self, budget: Option<Budget>) -> Self {
        self.budget = budget;
        self
    }

    /// To be called before a key of that name gets so many more bytes; the room is held until the
    /// write is done.
    pub(crate) async fn make_room(&self, key: &str, bytes: usize) -> Option<Room<'_>> {
        let budget = self.budget.as_ref()?;
        Some(budget.before_write(self, 1, about(key.len(), bytes)).await)
    }

    /// The same for counters with names of these lengths: so small that all are written at once.
    pub(crate) async fn make_room_for_counters(
        &self,
        names: impl ExactSizeIterator<Item = usize>,
    ) -> Option<Room<'_>> {
        let budget = self.budget.as_ref()?;
        let (keys, bytes) = (names.len() as u64, names.map(|name| about(name, 0)).sum());
        Some(budget.before_write(self, keys, bytes).await)
    }

    /// To be called before the first of keys with names and values of these lengths are written: for
    /// how many of them there is room now, one at least.
    pub(crate) async fn make_room_for_some(
        &self,
        lengths: impl ExactSizeIterator<Item = (usize, usize)>,
    ) -> (usize, Option<Room<'_>>) {
        let Some(budget) = &self.budget else { return (lengths.len(), None) };
        let (mut count, mut bytes) = (0, 0);
        for (name, value) in lengths {
            let more = about(name, value);
            if count > 0 && bytes + more > budget.most_at_once() {
                break;
            }
            (count, bytes) = (count + 1, bytes + more);
        }
        (count, Some(budget.before_write(self, count as u64, bytes).await))
    }

    /// The same, of a database that moves from another place.
    pub(crate) fn arriving(mut self, arrival: Arrival) -> Self {
        self.arrival = Some(arrival);
        self
    }

    /// Where its keys were, while it moves.
    pub(crate) fn arrival(&self) -> Option<&Arrival> {
        self.arrival.as_ref()
    }

    /// The longest that a request may take, all its attempts and the pauses between them included.
    pub(crate) fn patience(&self) -> Duration {
        let connect = self.lines.iter().map(Line::limit).max().unwrap_or_default();
        let attempt = connect.saturating_add(self.response_timeout);
        let pauses = longest_pauses(self.retries);
        attempt.saturating_mul(self.retries.saturating_add(1)).saturating_add(pauses)
    }

    /// Runs `work` on the library's own thread until it is done, or cannot be. Nobody waits for it but
    /// `Databases::close`. The database stays open for the first attempt, and is let go between those
    /// after it.
    pub(crate) fn in_background<F>(self: &Arc<Self>, work: impl Fn(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = Result<()>> + Send,
    {
        let (mut open, weak) = (Some(Arc::clone(self)), Arc::downgrade(self));
        let until_done = async move {
            let mut failures = 0;
            // A server that hangs may yet do what was asked of it: there is no end before it says so.
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
                tokio::time::sleep(pause_before_retry(failures)).await;
                failures += 1;
            }
        };
        background::spawn(self.unfinished.begin(), until_done);
    }

    /// The key as it stands on the server.
    pub(crate) fn name<'a>(&self, key: &'a str) -> Cow<'a, str> {
        match self.contract.placement.prefix() {
            "" => Cow::Borrowed(key),
            prefix => Cow::Owned(format!("{prefix}{key}")),
        }
    }

    /// The time for scripts in microseconds; empty for the server's own.
    pub(crate) fn script_time(&self) -> String {
        self.clock.as_ref().map_or(String::new(), |clock| clock.now().as_micros().to_string())
    }

    /// Opens every connection now, so that a failure shows at the start.
    pub(crate) async fn connect(&self) -> Result<()> {
        for line in &self.lines {
            line.wire().await.map_err(|error| error.in_database(&self.contract.name))?;
        }
        Ok(())
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

    /// The command with its keys brought first, where the database is moving.
    fn wrapped(&self, command: &Cmd) -> Option<Cmd> {
        self.arrival.as_ref()?.wrap(command)
    }

    /// Sends a command as it is.
    pub(crate) async fn query_plain<T: FromRedisValue>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> Result<T> {
        check_size(&self.contract, self.max_value_bytes, operation, key, command)?;
        let mut attempt = 0;
        loop {
            match self.query_once(operation, command).await {
                Ok(value) => return Ok(value),
                Err(error) => attempt = self.pause_or_give_up(repeat, attempt, key, error).await?,
            }
        }
    }

    /// Sends many commands; each answer, or the first error. `key` stands for them in errors.
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

    /// The error that the server answered, about `key` where there is one.
    fn refused(&self, operation: &'static str, key: &str, error: &redis::RedisError) -> Error {
        let error = convert(operation, Phase::Request, error).in_database(&self.contract.name);
        if key.is_empty() { error } else { error.at_key(key) }
    }

    async fn query_many_raw(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let (commands, is_wrapped): (Vec<Cmd>, Vec<bool>) = commands
            .into_iter()
            .map(|command| match self.wrapped(&command) {
                Some(wrapped) => (wrapped, true),
                None => (command, false),
            })
            .unzip();
        for command in &commands {
            check_size(&self.contract, self.max_value_bytes, operation, key, command)?;
        }
        let mut attempt = 0;
        loop {
            let line = self.line(commands.iter().map(size).sum());
            let sent = match line.wire().await {
                Ok((mut wire, generation)) => wire
                    .send_many(&commands)
                    .await
                    .map_err(|error| self.note_failure(line, generation, operation, &error)),
                Err(error) => Err(error),
            };
            match sent {
                Ok(answers) => {
                    let each = answers.into_iter().zip(is_wrapped).map(|(answer, is_wrapped)| {
                        if !is_wrapped {
                            return answer;
                        }
                        let (answer, brought) = previous::unwrap(answer);
                        self.traffic.brought(brought);
                        answer
                    });
                    return Ok(each.collect());
                }
                Err(error) => attempt = self.pause_or_give_up(repeat, attempt, key, error).await?,
            }
        }
    }

    /// Sends commands that are not idempotent, each about a key; an answer or an error for each.
    ///
    /// # Errors
    /// When it is not known which of them were executed.
    pub(crate) async fn query_each<T: FromRedisValue>(
        &self,
        operation: &'static str,
        commands: Vec<(String, Cmd)>,
    ) -> Result<Vec<Result<T>>> {
        let (keys, commands): (Vec<String>, Vec<Cmd>) = commands.into_iter().unzip();
        let answers: Vec<Value> = self
            .query_many_raw(
                Repeat::OnlyIfNotSent,
                operation,
                keys.first().map_or("", String::as_str),
                commands,
            )
            .await?;
        let each = keys.into_iter().zip(answers).map(|(key, answer)| {
            read(answer).map_err(|error| self.refused(operation, &key, &error))
        });
        Ok(each.collect())
    }

    /// A connection to use directly, for scans that stay with one node.
    pub(crate) async fn wire(&self) -> Result<Wire> {
        self.line(usize::MAX).wire().await.map(|(wire, _)| wire)
    }

    /// The connection for a request of so many bytes.
    fn line(&self, bytes: usize) -> &Line {
        let for_large = self.lines.len() - 1;
        if bytes <= SMALL_REQUEST || for_large == 0 {
            return &self.lines[0];
        }
        &self.lines[1 + self.next_large_line.fetch_add(1, Ordering::Relaxed) % for_large]
    }

    async fn query_once<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<T> {
        let line = self.line(size(command));
        let (mut wire, generation) = line.wire().await?;
        wire.send(command)
            .await
            .and_then(read)
            .map_err(|error| self.note_failure(line, generation, operation, &error))
    }

    /// Turns the failure into an error, and drops a connection that cannot be trusted any more.
    fn note_failure(
        &self,
        line: &Line,
        generation: u64,
        operation: &'static str,
        error: &redis::RedisError,
    ) -> Error {
        let error = convert(operation, Phase::Request, error);
        // A read-only answer means that the master has moved: Sentinel knows where. After a
        // time-out the network may have lost the connection without telling.
        let lost = matches!(
            error.kind(),
            ErrorKind::Interrupted | ErrorKind::Timeout | ErrorKind::ReadOnly
        );
        if lost && !self.is_cluster {
            line.forget(generation);
        }
        error
    }

    async fn pause_or_give_up(
        &self,
        repeat: Repeat,
        attempt: u32,
        key: &str,
        error: Error,
    ) -> Result<u32> {
        if !repeat.allows(&error) || attempt >= self.retries {
            let error = error.in_database(&self.contract.name);
            return Err(if key.is_empty() { error } else { error.at_key(key) });
        }
        self.traffic.retried();
        tokio::time::sleep(pause_before_retry(attempt)).await;
        Ok(attempt + 1)
    }

    /// An answer that the protocol does not give.
    pub(crate) fn unexpected(&self, operation: &'static str, key: &str, what: &str) -> Error {
        self.contract.error(ErrorKind::Protocol, operation, key, what)
    }

    pub(crate) fn on_update(
        &self,
        operation: &'static str,
        key: &str,
        expiry: Expiry,
    ) -> Result<TtlRule> {
        self.contract.on_update(operation, key, expiry)
    }
}

/// The answer as a `T`, or the error that it is.
fn read<T: FromRedisValue>(answer: Value) -> redis::RedisResult<T> {
    redis::from_redis_value(answer.extract_error()?).map_err(Into::into)
}

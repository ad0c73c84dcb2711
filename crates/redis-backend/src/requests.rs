//! Sends a database's requests: its connections, its prefix, and retries.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use compartment_core::backend::{Traffic, TtlRule, Unfinished};
use compartment_core::{Clock, Contract, Error, ErrorKind, Expiry, Result};
use redis::{Cmd, FromRedisValue, RedisResult, Value};

use crate::RedisConfig;
use crate::error::{Phase, convert};
use crate::repeat::{BACKOFF, Repeat};
use crate::request_size::{MAX_VALUE_BYTES, answer_size, check_size, size};
use crate::script::{JoinedCall, ScriptTarget};
use crate::server::probe::{ServerInfo, Topology};
use crate::wire::allowance::Allowance;
use crate::wire::connector::Wire;
use crate::wire::line::Line;

/// A database's placement on its server, and the connections to it.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) contract: Arc<Contract>,
    pub(crate) traffic: Arc<Traffic>,
    /// Work that continues after its caller is gone.
    pub(crate) unfinished: Unfinished,
    pub(crate) is_cluster: bool,
    /// The maximum size of one argument that the server accepts, in bytes.
    max_value_bytes: u64,
    /// The first connection is for small requests, the others for large ones.
    lines: Vec<Line>,
    /// Held as long as the connections.
    _allowance: Allowance,
    next_large_line: AtomicUsize,
    /// How many calls of scripts are to leave alone, because joined ones were refused.
    alone: AtomicU32,
    retries: u32,
    /// The time limit for one answer.
    response_timeout: Duration,
    clock: Option<Arc<dyn Clock>>,
}

/// Requests of more bytes use a separate connection if there is one, so that they never delay small ones. Small
/// requests share one connection: the more there are, the fewer network writes and reads each needs. (Measured at
/// 1,024 tasks: sets distributed over two connections in turn reach 0.7 of one connection's throughput.)
const SMALL_REQUEST: usize = 16 * 1_024;

/// So many calls of scripts leave alone after joined ones were refused: a login that may not reach one of many keys, or
/// a proxy that knows one key a request, would cost each call two.
const ALONE_AFTER_A_REFUSAL: u32 = 1_000;

impl Requests {
    pub(crate) fn new(
        contract: Arc<Contract>,
        lines: Vec<Line>,
        allowance: Allowance,
        info: &ServerInfo,
        config: &RedisConfig,
    ) -> Self {
        Self {
            contract,
            traffic: Arc::clone(allowance.traffic()),
            unfinished: Unfinished::default(),
            is_cluster: info.topology == Topology::Cluster,
            max_value_bytes: info.max_value_bytes.unwrap_or(MAX_VALUE_BYTES),
            lines,
            _allowance: allowance,
            next_large_line: AtomicUsize::new(0),
            alone: AtomicU32::new(0),
            retries: config.retries,
            response_timeout: config.response_timeout,
            clock: config.clock.clone(),
        }
    }

    /// The longest time that a request may take, including all attempts and pauses.
    pub(crate) fn patience(&self) -> Duration {
        let connect = self.lines.iter().map(Line::limit).max().unwrap_or_default();
        let attempt = connect.saturating_add(self.response_timeout);
        let pauses = BACKOFF.longest_total(self.retries);
        attempt.saturating_mul(self.retries.saturating_add(1)).saturating_add(pauses)
    }

    /// The key's name on the server.
    pub(crate) fn name<'a>(&self, key: &'a str) -> Cow<'a, str> {
        match self.contract.placement.prefix() {
            "" => Cow::Borrowed(key),
            prefix => Cow::Owned(format!("{prefix}{key}")),
        }
    }

    /// The time for scripts in microseconds; empty to use the server's.
    pub(crate) fn script_time(&self) -> String {
        self.clock.as_ref().map_or(String::new(), |clock| clock.now().as_micros().to_string())
    }

    /// Opens every connection now, so that a failure is reported at the start.
    pub(crate) async fn connect(&self) -> Result<()> {
        for line in &self.lines {
            line.wire().await.map_err(|error| error.in_database(&self.contract.name))?;
        }
        Ok(())
    }

    /// Sends a plain command.
    pub(crate) async fn query_plain<T: FromRedisValue>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> Result<T> {
        check_size(&self.contract, self.max_value_bytes, operation, key, command)?;
        self.repeated(repeat, key, || self.query_once(operation, command)).await
    }

    /// The error that the server returned, about `key` if it is not empty.
    pub(crate) fn refused(
        &self,
        operation: &'static str,
        key: &str,
        error: &redis::RedisError,
    ) -> Error {
        let error = convert(operation, Phase::Request, error).in_database(&self.contract.name);
        if key.is_empty() { error } else { error.at_key(key) }
    }

    /// Sends many plain commands; returns an answer for each, which may be an error.
    pub(crate) async fn query_many_plain(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        commands: &[Cmd],
    ) -> Result<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        for command in commands {
            check_size(&self.contract, self.max_value_bytes, operation, key, command)?;
        }
        self.repeated(repeat, key, || self.query_many_once(operation, commands)).await
    }

    /// Converts the answers to commands about keys, one by one.
    pub(crate) fn read_each<T: FromRedisValue>(
        &self,
        operation: &'static str,
        keys: &[String],
        answers: Vec<Value>,
    ) -> Vec<Result<T>> {
        let each = keys.iter().zip(answers);
        each.map(|(key, answer)| read(answer).map_err(|error| self.refused(operation, key, &error)))
            .collect()
    }

    /// A connection for direct use, for scans that stay on one node.
    pub(crate) async fn wire(&self) -> Result<Wire> {
        self.line(usize::MAX).wire().await.map(|(wire, _)| wire)
    }

    /// The connection for a request of this size.
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
        let bytes = size(command);
        let line = self.line(bytes);
        let (wire, generation) = line.wire().await?;
        self.counted(1, bytes, wire.send(command), answer_size)
            .await
            .and_then(read)
            .map_err(|error| self.note_failure(line, generation, operation, &error))
    }

    async fn query_many_once(
        &self,
        operation: &'static str,
        commands: &[Cmd],
    ) -> Result<Vec<Value>> {
        let bytes = commands.iter().map(size).sum();
        let line = self.line(bytes);
        let (wire, generation) = line.wire().await?;
        let all = |answers: &Vec<Value>| answers.iter().map(answer_size).sum();
        self.counted(commands.len(), bytes, wire.send_many(commands), all)
            .await
            .map_err(|error| self.note_failure(line, generation, operation, &error))
    }

    async fn query_joined<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<JoinedCall<T>> {
        let bytes = size(command);
        if bytes > SMALL_REQUEST {
            return Ok(JoinedCall::Alone);
        }
        let line = self.line(bytes);
        let (wire, generation) = line.wire().await?;
        let Wire::Single(connection) = wire else { return Ok(JoinedCall::Alone) };
        let answer =
            match self.counted(1, bytes, connection.send_joined(command), answer_size).await {
                Ok(answer) => read(answer),
                Err(error) if error.code() == Some("NOSCRIPT") => return Ok(JoinedCall::Unknown),
                Err(error) if error.code().is_some() => {
                    self.alone.store(ALONE_AFTER_A_REFUSAL, Ordering::Relaxed);
                    return Ok(JoinedCall::Alone);
                }
                Err(error) => Err(error),
            };
        answer
            .map(JoinedCall::Answered)
            .map_err(|error| self.note_failure(line, generation, operation, &error))
    }

    /// Sends commands of `bytes`, and counts them and their answer.
    async fn counted<T>(
        &self,
        commands: usize,
        bytes: usize,
        sent: impl Future<Output = RedisResult<T>>,
        answer_size: impl FnOnce(&T) -> usize,
    ) -> RedisResult<T> {
        self.traffic.sent(commands as u64, bytes as u64);
        let began = Instant::now();
        let answer = sent.await;
        match &answer {
            Ok(answer) => self.traffic.answered(answer_size(answer) as u64, began.elapsed()),
            // Some answers of a server arrive as errors of the request.
            Err(error) if error.code().is_some() => self.traffic.answered(0, began.elapsed()),
            Err(_) => self.traffic.unanswered(commands as u64),
        }
        answer
    }

    /// Converts the failure to an error, and drops a connection that can no longer be trusted.
    fn note_failure(
        &self,
        line: &Line,
        generation: u64,
        operation: &'static str,
        error: &redis::RedisError,
    ) -> Error {
        let error = convert(operation, Phase::Request, error);
        // A read-only answer means that the master has moved, and Sentinel knows where. After a time-out the
        // connection may be lost without notice.
        let lost = matches!(
            error.kind(),
            ErrorKind::Interrupted | ErrorKind::Timeout | ErrorKind::ReadOnly
        );
        if lost && !self.is_cluster {
            line.forget(generation);
        }
        error
    }

    /// Does it until it succeeds, may not be repeated, or was repeated often enough.
    async fn repeated<T, F: Future<Output = Result<T>>>(
        &self,
        repeat: Repeat,
        key: &str,
        once: impl Fn() -> F,
    ) -> Result<T> {
        let mut attempt = 0;
        loop {
            match once().await {
                Ok(value) => return Ok(value),
                Err(error) => attempt = self.pause_or_give_up(repeat, attempt, key, error).await?,
            }
        }
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
        tokio::time::sleep(BACKOFF.after(attempt + 1)).await;
        Ok(attempt + 1)
    }

    /// The error for a key of another type, if the server did not return it itself.
    pub(crate) fn wrong_type(&self, operation: &'static str, key: &str) -> Error {
        let what = "the key holds another type of value";
        self.contract.error(ErrorKind::WrongType, operation, key, what)
    }

    /// The error for an answer that violates the protocol.
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

/// Converts an answer to a `T`, or returns the error it contains.
pub(crate) fn read<T: FromRedisValue>(answer: Value) -> redis::RedisResult<T> {
    redis::from_redis_value(answer.extract_error()?).map_err(Into::into)
}

impl ScriptTarget for Requests {
    fn wants_text(&self) -> bool {
        false
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
        self.query_plain(repeat, operation, key, command).await
    }

    fn joins(&self) -> bool {
        // This call is one of those that leave alone, if any are left.
        let one_less = |left: u32| left.checked_sub(1);
        let leaves_alone =
            self.alone.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        !self.is_cluster && !leaves_alone
    }

    async fn send_joined<T: FromRedisValue + Send>(
        &self,
        repeat: Repeat,
        operation: &'static str,
        key: &str,
        command: &Cmd,
    ) -> Result<JoinedCall<T>> {
        check_size(&self.contract, self.max_value_bytes, operation, key, command)?;
        self.repeated(repeat, key, || self.query_joined(operation, command)).await
    }

    async fn send_each<T: FromRedisValue + Send>(
        &self,
        operation: &'static str,
        commands: Vec<(String, Cmd)>,
    ) -> Result<Vec<Result<T>>> {
        let (keys, commands): (Vec<String>, Vec<Cmd>) = commands.into_iter().unzip();
        let first = keys.first().map_or("", String::as_str);
        let repeat = Repeat::OnlyIfNotSent;
        let answers = self.query_many_plain(repeat, operation, first, &commands).await?;
        Ok(self.read_each(operation, &keys, answers))
    }
}

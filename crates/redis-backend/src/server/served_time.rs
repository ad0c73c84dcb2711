//! How long a server works on requests, by its own clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, RedisResult, Value};

use crate::wire::bounded::BoundedConnection;
use crate::wire::packed::Packed;

/// The time that servers worked on the requests of some connections, by their own clocks. The time of an answer would
/// contain the way, and the wait for a processor on either side. Clones share the sum.
#[derive(Clone, Debug, Default)]
pub struct ServedTime(Arc<AtomicU64>);

impl ServedTime {
    /// The sum so far. Requests whose time the server does not tell add nothing.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Sends the commands between two `TIME`s, and returns the answers to the commands.
    pub(crate) async fn during<'a>(
        &self,
        connection: &BoundedConnection,
        commands: impl Iterator<Item = &'a Cmd>,
    ) -> RedisResult<Vec<Value>> {
        let time = redis::cmd("TIME");
        let mut timed: Vec<&Cmd> = vec![&time];
        for command in commands {
            timed.push(command);
        }
        timed.push(&time);
        self.note(connection.send_each(&timed).await?)
    }

    /// As [`ServedTime::during`], for commands that are written as they are sent.
    pub(crate) async fn during_packed(
        &self,
        connection: &BoundedConnection,
        commands: Packed,
    ) -> RedisResult<Vec<Value>> {
        let mut timed = Packed::default();
        timed.push(&["TIME"], None);
        timed.append(commands);
        timed.push(&["TIME"], None);
        self.note(connection.send_packed(timed).await?)
    }

    /// Adds the time between the first and the last answer, and returns the others.
    fn note(&self, mut answers: Vec<Value>) -> RedisResult<Vec<Value>> {
        let (ended, began) = (answers.pop(), answers.drain(..1).next());
        if let Some((began, ended)) = micros(began).zip(micros(ended)) {
            self.0.fetch_add(ended.saturating_sub(began), Ordering::Relaxed);
        }
        Ok(answers)
    }
}

/// The answer of `TIME` in microseconds; `None` where the server refuses it.
fn micros(answer: Option<Value>) -> Option<u64> {
    let (seconds, micros): (u64, u64) = redis::from_redis_value(answer?).ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

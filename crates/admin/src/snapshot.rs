//! Snapshots of a key's value and expiry from `DUMP`, and their comparison.

use compartment_core::{Error, ErrorKind};
use compartment_redis::{Connection, answer_error};
use redis::Value;

use crate::expiry::ExpiryBy;
use crate::rdb::Payload;
use crate::{Result, escape};

/// A key at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The answer of `DUMP`.
    pub(crate) payload: Vec<u8>,
    /// When it expires, in milliseconds since 1970.
    pub(crate) expires_at: Option<u64>,
    /// Set where expiries of hash fields are dropped, because the target knows none: the time by which fields have
    /// expired, in milliseconds since 1970.
    pub(crate) drops_field_lives: Option<u64>,
}

/// Bytes after the value in a payload: the version of its format, and a checksum.
const FOOTER: usize = 10;

impl Snapshot {
    /// Describes the difference; `None` if the values are equal and the expiries differ by at most
    /// `slack_ms`.
    pub(crate) fn difference(&self, other: &Self, slack_ms: u64) -> Option<String> {
        if !self.expires_together(other, slack_ms) {
            let shown = |at: Option<u64>| at.map_or("never".to_owned(), |at| format!("at {at} ms"));
            return Some(format!(
                "expires {} and {}",
                shown(self.expires_at),
                shown(other.expires_at)
            ));
        }
        self.value_difference(other)
    }

    /// Whether it has expired, or will within `slack_ms`, by a clock that shows `now`.
    pub(crate) fn is_over(&self, now: u64, slack_ms: u64) -> bool {
        self.expires_at.is_some_and(|at| at <= now.saturating_add(slack_ms))
    }

    fn expires_together(&self, other: &Self, slack_ms: u64) -> bool {
        match (self.expires_at, other.expires_at) {
            (None, None) => true,
            (Some(a), Some(b)) => a.abs_diff(b) <= slack_ms,
            _ => false,
        }
    }

    fn value_difference(&self, other: &Self) -> Option<String> {
        let value = |payload: &[u8]| payload.len().saturating_sub(FOOTER);
        let (a, b) = (value(&self.payload), value(&other.payload));
        if self.payload[..a] == other.payload[..b] {
            return None;
        }
        let drops = self.drops_field_lives.or(other.drops_field_lives);
        let without = |a: &Payload<'_>, b: &Payload<'_>| {
            drops.is_some_and(|now_ms| a.same_without_field_lives(b, now_ms))
        };
        // Different bytes may be the same value: a hash in another order or encoding.
        let parsed =
            Payload::parse(&self.payload).and_then(|a| Ok((a, Payload::parse(&other.payload)?)));
        match parsed {
            Ok((a, b)) if a.same_value(&b) || without(&a, &b) => None,
            Ok((a, b)) if a.type_name() != b.type_name() => {
                Some(format!("one is a {}, the other a {}", a.type_name(), b.type_name()))
            }
            Ok((a, b)) if a.same_without_field_lives(&b, 0) => {
                Some("the expiries of its fields differ".to_owned())
            }
            Ok((a, _)) => Some(format!("the values differ ({})", a.type_name())),
            Err(error) => Some(format!("the values differ, as far as can be told: {error}")),
        }
    }
}

/// Reads the answers about one key; `None` for a missing one.
fn read(name: &[u8], expiry: &Value, payload: Value) -> Result<Option<Snapshot>> {
    let fail = |answer: &Value| {
        let error = answer_error("dump", answer).unwrap_or_else(|| {
            Error::new(ErrorKind::Protocol, "dump", "the answer is not what a Redis server gives")
        });
        crate::AdminError::Server(error.at_key(escape(name)))
    };
    let expires_at = match expiry {
        Value::Int(at) => u64::try_from(*at).ok(),
        other => return Err(fail(other)),
    };
    match payload {
        Value::BulkString(payload) => {
            Ok(Some(Snapshot { payload, expires_at, drops_field_lives: None }))
        }
        Value::Nil => Ok(None),
        other => Err(fail(&other)),
    }
}

/// Takes a snapshot of each key.
pub(crate) async fn take(
    connection: &mut Connection,
    by: ExpiryBy,
    names: &[Vec<u8>],
) -> Result<Vec<Option<Snapshot>>> {
    let mut answers = by.ask_with(connection, "dump", &["DUMP"], names).await?.into_iter();
    let mut snapshots = Vec::with_capacity(names.len());
    for name in names {
        let (expiry, payload) = (answers.next(), answers.next());
        let (Some(expiry), Some(payload)) = (expiry, payload) else { break };
        snapshots.push(read(name, &expiry, payload)?);
    }
    Ok(snapshots)
}

/// The server's clock, in milliseconds since 1970.
pub(crate) async fn server_time(connection: &mut Connection) -> Result<u64> {
    let (seconds, micros): (u64, u64) = connection.ask("ask the time", &redis::cmd("TIME")).await?;
    Ok(seconds * 1_000 + micros / 1_000)
}

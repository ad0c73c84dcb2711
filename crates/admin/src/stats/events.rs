//! Slow commands and events that took long, as the server keeps them.

use compartment_redis::Connection;
use redis::Value;
use serde::{Deserialize, Serialize};

/// Commands of the slow log that are shown.
const SLOWEST: usize = 5;
/// Entries of the slow log that are looked at.
const ENTRIES: usize = 128;

/// The slow log. Arguments of commands are left out: they hold keys and values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlowLog {
    /// Entries that it has.
    pub entries: u64,
    /// The slowest of the last 128, the slowest first.
    pub slowest: Vec<SlowCommand>,
}

/// A slow command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlowCommand {
    /// Its name.
    pub command: String,
    /// How long it took, in microseconds.
    pub microseconds: u64,
    /// When, in seconds since 1970 by the server's clock.
    pub at: u64,
    /// What the connection calls itself.
    pub client: String,
}

/// The last event of one kind that took long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LatencyEvent {
    /// Its kind: `command`, `fork`, `expire-cycle`, `eviction-cycle`.
    pub event: String,
    /// When, in seconds since 1970 by the server's clock.
    pub at: u64,
    /// How long the last took, in milliseconds.
    pub last_ms: u64,
    /// The longest since they are counted.
    pub max_ms: u64,
}

impl SlowLog {
    /// Asks for it; `None` where the server does not allow it.
    pub(super) async fn ask(node: &mut Connection) -> Option<Self> {
        let mut length = redis::cmd("SLOWLOG");
        length.arg("LEN");
        let entries = node.ask("read the slow log", &length).await.ok()?;
        let mut command = redis::cmd("SLOWLOG");
        command.arg("GET").arg(ENTRIES);
        let list: Vec<Value> = node.ask("read the slow log", &command).await.ok()?;
        let mut slowest: Vec<SlowCommand> = list.iter().filter_map(slow_command).collect();
        slowest.sort_by_key(|one| std::cmp::Reverse(one.microseconds));
        slowest.truncate(SLOWEST);
        Some(Self { entries, slowest })
    }
}

impl LatencyEvent {
    /// Asks for them; none where the server does not allow it.
    pub(super) async fn ask(node: &mut Connection) -> Vec<Self> {
        let mut command = redis::cmd("LATENCY");
        command.arg("LATEST");
        let list: Vec<Value> =
            node.ask("read the latency events", &command).await.unwrap_or_default();
        list.iter().filter_map(latency_event).collect()
    }
}

fn slow_command(entry: &Value) -> Option<SlowCommand> {
    let Value::Array(fields) = entry else { return None };
    let Some(Value::Array(arguments)) = fields.get(3) else { return None };
    Some(SlowCommand {
        command: text(arguments.first()?)?.to_lowercase(),
        microseconds: number(fields.get(2)?)?,
        at: number(fields.get(1)?)?,
        client: fields.get(5).and_then(text).unwrap_or_default(),
    })
}

fn latency_event(entry: &Value) -> Option<LatencyEvent> {
    let Value::Array(fields) = entry else { return None };
    Some(LatencyEvent {
        event: text(fields.first()?)?,
        at: number(fields.get(1)?)?,
        last_ms: number(fields.get(2)?)?,
        max_ms: number(fields.get(3)?)?,
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(crate::printable(&String::from_utf8_lossy(bytes))),
        Value::SimpleString(text) => Some(crate::printable(text)),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_slow_command_is_shown_without_its_arguments() {
        let arguments = Value::Array(vec![bulk("SET"), bulk("session:1"), bulk("s3cret")]);
        let fields = vec![
            Value::Int(7),
            Value::Int(1_700_000_000),
            Value::Int(25_000),
            arguments,
            bulk("a:1"),
            bulk("web"),
        ];
        let found = slow_command(&Value::Array(fields)).unwrap();
        assert_eq!((found.command.as_str(), found.microseconds), ("set", 25_000));
        assert!(!format!("{found:?}").contains("s3cret"));
        assert_eq!(slow_command(&bulk("odd")), None);
        assert_eq!(latency_event(&Value::Array(vec![bulk("fork"), Value::Int(1)])), None);
    }
}

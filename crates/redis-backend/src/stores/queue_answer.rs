//! Answers of the queue's scripts, and the records of tasks in them.

use bytes::Bytes;
use compartment_core::backend::TaskRecord;
use compartment_core::{MAX_QUEUE_NAME, Result, TaskClass, Timestamp};
use redis::{FromRedisValue, Value};

use crate::link::Link;

/// Digits of the submission time in a task's record.
const MILLIS_DIGITS: usize = 14;

/// An answer of several parts.
pub(super) struct Parts<'a> {
    pub(super) link: &'a Link,
    pub(super) operation: &'static str,
    pub(super) queue: String,
    pub(super) rest: std::vec::IntoIter<Value>,
}

impl Parts<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.rest.len() == 0
    }

    pub(super) fn next<T: FromRedisValue>(&mut self) -> Result<T> {
        let value = self.rest.next().and_then(|value| redis::from_redis_value(value).ok());
        value.ok_or_else(|| self.wrong("the script's answer lacks a part"))
    }

    /// A task's record: see `queue.lua`.
    pub(super) fn record(&mut self) -> Result<TaskRecord> {
        let record: Bytes = self.next()?;
        read_record(&record).ok_or_else(|| self.no_record())
    }

    pub(super) fn no_record(&self) -> compartment_core::Error {
        self.wrong("a task's record cannot be read")
    }

    fn wrong(&self, what: &str) -> compartment_core::Error {
        self.link.unexpected(self.operation, &self.queue, what)
    }
}

pub(super) fn read_record(record: &Bytes) -> Option<TaskRecord> {
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u64>().ok();
    let class = *TaskClass::ALL.get(usize::from(record.first()?.checked_sub(b'0')?))?;
    let group_ends = 4 + usize::try_from(number(record.get(1..4)?)?).ok()?;
    let group = String::from_utf8(record.get(4..group_ends)?.to_vec()).ok()?;
    if group.len() > MAX_QUEUE_NAME {
        return None;
    }
    let payload_begins = group_ends + MILLIS_DIGITS;
    let submitted_at = Timestamp::from_millis(number(record.get(group_ends..payload_begins)?)?);
    Some(TaskRecord { class, group, submitted_at, payload: record.slice(payload_begins..) })
}

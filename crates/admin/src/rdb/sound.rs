//! Checks for well-formed values that a server refuses: duplicate members, NaN scores.

use std::collections::HashSet;
use std::hash::Hash;

use super::error::{RdbError, RdbResult};
use super::value::{Stream, Value};

pub(super) const NAN: RdbError = RdbError::Corrupt("a score of a sorted set is not a number");

/// Checks that a server would accept the value.
pub(super) fn check(value: &Value) -> RdbResult<()> {
    match value {
        Value::String(_) | Value::List(_) => Ok(()),
        Value::Set(members) => once(members, "a set has a member twice"),
        Value::Hash(fields) => {
            once(fields.iter().map(|field| &field.name), "a hash has a field twice")
        }
        Value::SortedSet(members) => {
            if members.iter().any(|(_, score)| score.is_nan()) {
                return Err(NAN);
            }
            once(members.iter().map(|(member, _)| member), "a sorted set has a member twice")
        }
        Value::Stream(stream) => check_stream(stream),
    }
}

fn check_stream(stream: &Stream) -> RdbResult<()> {
    once(stream.groups.iter().map(|group| &group.name), "a stream has a group twice")?;
    for group in &stream.groups {
        let names = group.consumers.iter().map(|consumer| &consumer.name);
        once(names, "a group of a stream has a consumer twice")?;
    }
    Ok(())
}

fn once<T: Hash + Eq>(
    parts: impl IntoIterator<Item = T>,
    otherwise: &'static str,
) -> RdbResult<()> {
    let mut seen = HashSet::new();
    match parts.into_iter().all(|part| seen.insert(part)) {
        true => Ok(()),
        false => Err(RdbError::Corrupt(otherwise)),
    }
}

//! The answer of `CLUSTER SLOTS`.

use redis::Value;

/// First slot, last slot and the master's `host:port` of each range in the answer of
/// `CLUSTER SLOTS`.
pub(crate) fn slot_ranges(ranges: Vec<Vec<Value>>) -> Vec<(u16, u16, String)> {
    let range = |range: Vec<Value>| {
        let mut parts = range.into_iter();
        let mut slot = || redis::from_redis_value::<u16>(parts.next()?).ok();
        let (first, last) = (slot()?, slot()?);
        let Some(Value::Array(master)) = parts.next() else { return None };
        let mut parts = master.into_iter();
        let host: String = redis::from_redis_value(parts.next()?).ok()?;
        let port: u16 = redis::from_redis_value(parts.next()?).ok()?;
        Some((first, last, format!("{host}:{port}")))
    };
    ranges.into_iter().filter_map(range).collect()
}

//! Counters in memory: plain values of decimal digits, with Redis's rules.

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::TtlRule;
use compartment_core::{CounterStore, Expiry, Result};

use crate::backend::MemoryStores;
use crate::error::Refusal;
use crate::stores::key_value::bytes_of;
use crate::stores::keyspace::Change;
use crate::stores::value::Value;

/// Parses a number in the form in which Redis writes it: no sign except `-`, no leading zero.
pub(crate) fn number(bytes: &[u8]) -> Result<i64, Refusal> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse::<i64>().ok().filter(|number| number.to_string() == text))
        .ok_or(Refusal::NotANumber)
}

/// The sum, and its text.
pub(crate) fn add(old: Option<&[u8]>, by: i64) -> Result<(i64, Bytes), Refusal> {
    let sum = old.map_or(Ok(0), number)?.checked_add(by).ok_or(Refusal::OutOfRange)?;
    Ok((sum, sum.to_string().into()))
}

impl MemoryStores {
    fn add(&self, operation: &'static str, key: &str, by: i64, rule: TtlRule) -> Result<i64> {
        self.update(operation, key, |old, now| {
            let (sum, text) = add(bytes_of(old.clone())?.as_deref(), by)?;
            Ok((Change::Put(Value::Bytes(text), self.end_by(rule, old.as_ref(), now)), sum))
        })
    }
}

#[async_trait]
impl CounterStore for MemoryStores {
    async fn increment(&self, key: &str, by: i64, expiry: Expiry) -> Result<i64> {
        let rule = self.contract.on_update("increment", key, expiry)?;
        self.add("increment", key, by, rule)
    }

    async fn increment_many(
        &self,
        entries: Vec<(String, i64)>,
        expiry: Expiry,
    ) -> Result<Vec<i64>> {
        let Some((first, _)) = entries.first() else {
            return Ok(Vec::new());
        };
        let rule = self.contract.on_update("increment many", first, expiry)?;
        // A failure does not prevent the other additions, as in a pipeline.
        let sums: Vec<Result<i64>> =
            entries.iter().map(|(key, by)| self.add("increment many", key, *by, rule)).collect();
        sums.into_iter().collect()
    }

    async fn count(&self, key: &str) -> Result<Option<i64>> {
        bytes_of(self.read(key))
            .and_then(|bytes| bytes.as_deref().map(number).transpose())
            .map_err(self.refused("count", key))
    }

    async fn count_many(&self, keys: &[String]) -> Result<Vec<Option<i64>>> {
        // All values are read before any is parsed, as in one request to a server.
        let values = keys
            .iter()
            .map(|key| bytes_of(self.read(key)).map_err(self.refused("count many", key)))
            .collect::<Result<Vec<_>>>()?;
        keys.iter()
            .zip(values)
            .map(|(key, bytes)| {
                let count = bytes.as_deref().map(number).transpose();
                count.map_err(self.refused("count many", key))
            })
            .collect()
    }

    async fn take(&self, key: &str) -> Result<i64> {
        self.update("take", key, |old, _| {
            let count = bytes_of(old)?.as_deref().map_or(Ok(0), number)?;
            Ok((Change::Remove, count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_redis_takes_for_one() {
        for (text, value) in [
            ("0", 0),
            ("-1", -1),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(number(text.as_bytes()), Ok(value));
        }
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "ß"] {
            assert_eq!(number(text.as_bytes()), Err(Refusal::NotANumber), "{text:?}");
        }
        assert_eq!(number(&[0xff]), Err(Refusal::NotANumber));
    }

    #[test]
    fn a_sum_outside_64_bits_is_out_of_range() {
        assert_eq!(add(Some(b"9223372036854775807"), 1), Err(Refusal::OutOfRange));
        assert_eq!(add(Some(b"-1"), i64::MIN), Err(Refusal::OutOfRange));
        assert_eq!(add(None, i64::MIN), Ok((i64::MIN, i64::MIN.to_string().into())));
    }
}

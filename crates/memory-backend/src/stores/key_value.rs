//! Keys and values in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_core::backend::{TtlRule, glob_matches};
use compartment_core::{Condition, Expiry, KeyStream, KeyValueStore, Result, SetOptions, Ttl};
use futures_util::stream::{self, StreamExt};
use std::sync::Arc;
use std::time::Duration;

use crate::backend::MemoryStores;
use crate::error::Refusal;
use crate::stores::keyspace::Change;
use crate::stores::value::{Entry, Value};

/// The bytes of an entry; an error if it is not a plain value.
pub(crate) fn bytes_of(entry: Option<Entry>) -> Result<Option<Bytes>, Refusal> {
    match entry.map(|entry| entry.value) {
        Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
        Some(other) => Err(Refusal::wrong_type(&other, "a value")),
        None => Ok(None),
    }
}

impl MemoryStores {
    fn replace(
        &self,
        operation: &'static str,
        key: &str,
        value: Bytes,
        rule: TtlRule,
        condition: Condition,
    ) -> Result<bool> {
        if condition == Condition::Always && !matches!(rule, TtlRule::Keep { .. }) {
            // Neither the old value nor its end matters.
            self.traffic.wrote(1);
            let end = |now| self.end_by(rule, None, now);
            self.keyspace.put(&self.name(key), Value::Bytes(value), end);
            return Ok(true);
        }
        self.update(operation, key, |old, now| {
            let takes_effect = match condition {
                Condition::Always => true,
                Condition::IfAbsent => old.is_none(),
                Condition::IfPresent => old.is_some(),
            };
            if !takes_effect {
                return Ok((Change::Nothing, false));
            }
            Ok((Change::Put(Value::Bytes(value), self.end_by(rule, old.as_ref(), now)), true))
        })
    }
}

#[async_trait]
impl KeyValueStore for MemoryStores {
    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let value = bytes_of(self.read(key)).map_err(self.refused("get", key))?;
        self.traffic.read(value.is_some());
        Ok(value)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let values = keys
            .iter()
            .map(|key| bytes_of(self.read(key)).map_err(self.refused("get many", key)))
            .collect::<Result<Vec<_>>>()?;
        let hits = values.iter().flatten().count();
        self.traffic.reads(hits as u64, (values.len() - hits) as u64);
        Ok(values)
    }

    async fn set(&self, key: &str, value: Bytes, options: SetOptions) -> Result<bool> {
        let rule = self.contract.on_replace("set", key, options.expiry)?;
        self.replace("set", key, value, rule, options.condition)
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, expiry: Expiry) -> Result<()> {
        let Some((first, _)) = entries.first() else {
            return Ok(());
        };
        let rule = self.contract.on_replace("set many", first, expiry)?;
        for (key, value) in entries {
            self.replace("set many", &key, value, rule, Condition::Always)?;
        }
        Ok(())
    }

    async fn delete(&self, keys: &[String]) -> Result<u64> {
        let mut deleted = 0;
        for key in keys.iter().collect::<BTreeSet<_>>() {
            deleted += self
                .update("delete", key, |old, _| Ok((Change::Remove, u64::from(old.is_some()))))?;
        }
        Ok(deleted)
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.read(key).is_some())
    }

    async fn expire(&self, key: &str, expiry: Expiry) -> Result<bool> {
        if expiry == Expiry::Keep {
            return self.exists(key).await;
        }
        let rule = self.contract.on_replace("expire", key, expiry)?;
        self.update("expire", key, |old, now| {
            let Some(old) = old else {
                return Ok((Change::Nothing, false));
            };
            let end = self.end_by(rule, Some(&old), now);
            Ok((Change::Put(old.value, end), true))
        })
    }

    async fn ttl(&self, key: &str) -> Result<Ttl> {
        let now = self.keyspace.now();
        Ok(match self.read(key).map(|entry| entry.expires_at) {
            None => Ttl::Missing,
            Some(None) => Ttl::Unlimited,
            Some(Some(end)) => {
                // Rounded up, so that a live key never has a remaining time of zero.
                let millis = end.since(now).as_micros().div_ceil(1_000);
                Ttl::Remaining(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
            }
        })
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Bytes>,
        replacement: Option<Bytes>,
        expiry: Expiry,
    ) -> Result<bool> {
        const OPERATION: &str = "compare and set";
        let replacement = match replacement {
            Some(value) => Some((value, self.contract.on_replace(OPERATION, key, expiry)?)),
            None => None,
        };
        self.update(OPERATION, key, |old, now| {
            if bytes_of(old.clone())? != expected {
                return Ok((Change::Nothing, false));
            }
            let change = match replacement {
                Some((value, rule)) => {
                    Change::Put(Value::Bytes(value), self.end_by(rule, old.as_ref(), now))
                }
                None => Change::Remove,
            };
            Ok((change, true))
        })
    }

    fn scan(&self, pattern: &str) -> KeyStream {
        let (keyspace, contract) = (Arc::clone(&self.keyspace), Arc::clone(&self.contract));
        let pattern = pattern.to_owned();
        // The names are read when the stream is first polled, not when it is created.
        stream::once(async move {
            let prefix = contract.placement.prefix();
            let names = keyspace.names(|name| {
                name.strip_prefix(prefix)
                    .is_some_and(|key| glob_matches(pattern.as_bytes(), key.as_bytes()))
            });
            let skip = prefix.len();
            stream::iter(names.into_iter().map(move |name| Ok(name[skip..].to_owned())))
        })
        .flatten()
        .boxed()
    }
}

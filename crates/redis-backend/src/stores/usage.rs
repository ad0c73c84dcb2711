//! Keys and bytes of a database on Redis.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_core::{Result, Usage, UsageStore};
use futures_util::StreamExt;
use redis::Cmd;

use crate::link::Link;
use crate::repeat::Repeat;
use crate::stores::scan::scan;

/// The number of keys whose memory is measured. Redis does not count bytes by database, so this is the portable way;
/// the mean of 200 keys suffices for a table, not for a budget.
const SAMPLE: usize = 200;
/// Elements of one large value that `MEMORY USAGE` samples: the server's default.
const ELEMENTS: usize = 5;

#[derive(Debug)]
pub(crate) struct RedisUsage {
    link: Arc<Link>,
}

impl RedisUsage {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    /// The number of keys, and some of their names.
    async fn keys(&self) -> Result<(u64, Vec<String>)> {
        let mut names = Vec::new();
        let mut walk = scan(Arc::clone(&self.link), "*");
        if !self.link.contract.placement.prefix().is_empty() {
            // The keys with a prefix can only be counted by a walk.
            let mut count = 0;
            while let Some(name) = walk.next().await {
                count += 1;
                let name = name?;
                if names.len() < SAMPLE {
                    names.push(name);
                }
            }
            return Ok((count, names));
        }
        let count =
            self.link.query(Repeat::Idempotent, "count keys", "", &redis::cmd("DBSIZE")).await?;
        // SCAN follows hash order, so its first keys are as good as a random sample.
        while names.len() < SAMPLE {
            let Some(name) = walk.next().await else { break };
            names.push(name?);
        }
        Ok((count, names))
    }
}

#[async_trait]
impl UsageStore for RedisUsage {
    async fn usage(&self) -> Result<Usage> {
        let (keys, sample) = self.keys().await?;
        let commands: Vec<Cmd> = sample
            .iter()
            .map(|name| {
                let mut command = redis::cmd("MEMORY");
                command.arg("USAGE").arg(self.link.name(name).as_bytes());
                command.arg("SAMPLES").arg(ELEMENTS);
                command
            })
            .collect();
        let sizes: Vec<Option<u64>> =
            self.link.query_many(Repeat::Idempotent, "measure memory", "", commands).await?;
        let found: Vec<u64> = sizes.into_iter().flatten().collect();
        let sum: u64 = found.iter().sum();
        let exact = found.len() as u64 == keys;
        let bytes = match found.len() as u64 {
            0 => 0,
            count if exact => sum.max(count),
            count => (u128::from(sum) * u128::from(keys) / u128::from(count)) as u64,
        };
        Ok(Usage::new(keys, bytes, exact))
    }
}

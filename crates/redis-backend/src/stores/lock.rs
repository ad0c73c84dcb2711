//! Locks on Redis: one hash for each lock, changed by scripts that use the server's clock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{FENCE_RETENTION, FencingToken, Holder, LockAttempt, LockStore, Result};
use redis::Cmd;

use crate::attempt::Attempt;
use crate::link::Link;
use crate::repeat::Repeat;
use crate::script::{LuaScript, lua_script};

static ACQUIRE: LuaScript = lua_script!("joined.lua", "lock_acquire.lua");
static TAKE_BACK: LuaScript = lua_script!("lock_take_back.lua");
static KEEP: LuaScript = lua_script!("joined.lua", "lock_keep.lua");
static HOLDER: LuaScript = lua_script!("lock_holder.lua");

#[derive(Debug)]
pub(crate) struct RedisLock {
    link: Arc<Link>,
}

impl RedisLock {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    async fn keep(
        &self,
        operation: &'static str,
        repeat: Repeat,
        key: &str,
        token: FencingToken,
        lease_millis: u64,
    ) -> Result<bool> {
        let time = self.link.script_time();
        let arguments = |command: &mut Cmd| {
            command.arg(token.number()).arg(lease_millis).arg(retention_millis()).arg(&time);
        };
        KEEP.run_joined(&self.link, repeat, operation, key, arguments).await
    }

    fn holder_of(
        &self,
        key: &str,
        token: Option<u64>,
        owner: Option<String>,
        remaining: Option<u64>,
    ) -> Result<Holder> {
        match (token, owner, remaining) {
            (Some(token), Some(owner), Some(remaining)) => Ok(Holder::new(
                owner,
                FencingToken::from_number(token),
                Duration::from_millis(remaining),
            )),
            _ => Err(self.link.unexpected("lock", key, "the script's answer lacks a part")),
        }
    }
}

/// Takes back an attempt whose answer was lost.
fn take_back(link: &Arc<Link>, key: &str, attempt: String) {
    let key = key.to_owned();
    link.in_background(move |link| {
        let (key, attempt) = (key.clone(), attempt.clone());
        async move {
            let time = link.script_time();
            let arguments = |command: &mut Cmd| {
                command.arg(&attempt).arg(retention_millis()).arg(&time);
            };
            let repeat = Repeat::Idempotent;
            TAKE_BACK.run::<i64>(&link, repeat, "release lock", &key, arguments).await.map(drop)
        }
    });
}

fn retention_millis() -> u64 {
    FENCE_RETENTION.as_secs() * 1_000
}

#[async_trait]
impl LockStore for RedisLock {
    async fn try_acquire(&self, key: &str, owner: &str, lease: Duration) -> Result<LockAttempt> {
        let lease = self.link.contract.millis("lock", key, lease)?;
        self.link.traffic.wrote(1);
        let time = self.link.script_time();
        let attempt = Attempt::new(|name| take_back(&self.link, key, name));
        let arguments = |command: &mut Cmd| {
            command.arg(owner).arg(lease).arg(retention_millis()).arg(&time).arg(attempt.name());
        };
        // A repeated attempt would find the lock held by itself.
        let answer: Result<Vec<redis::Value>> =
            ACQUIRE.run_joined(&self.link, Repeat::OnlyIfNotSent, "lock", key, arguments).await;
        attempt.answered(&answer);
        let mut parts = answer?.into_iter();
        let acquired: Option<i64> = next(&mut parts);
        let token: Option<u64> = next(&mut parts);
        match (acquired, token) {
            (Some(1), Some(token)) => Ok(LockAttempt::Acquired(FencingToken::from_number(token))),
            (Some(_), token) => {
                let (owner, remaining) = (next(&mut parts), next(&mut parts));
                self.holder_of(key, token, owner, remaining).map(LockAttempt::Held)
            }
            _ => Err(self.link.unexpected("lock", key, "the script's answer is empty")),
        }
    }

    async fn renew(&self, key: &str, token: FencingToken, lease: Duration) -> Result<bool> {
        let lease = self.link.contract.millis("renew lock", key, lease)?;
        self.keep("renew lock", Repeat::Idempotent, key, token, lease).await
    }

    async fn release(&self, key: &str, token: FencingToken) -> Result<bool> {
        self.keep("release lock", Repeat::OnlyIfNotSent, key, token, 0).await
    }

    fn release_in_background(&self, key: &str, token: FencingToken) {
        let key = key.to_owned();
        self.link.in_background(move |link| {
            let key = key.clone();
            async move { Self::new(link).release(&key, token).await.map(drop) }
        });
    }

    async fn holder(&self, key: &str) -> Result<Option<Holder>> {
        let time = self.link.script_time();
        let arguments = |command: &mut Cmd| {
            command.arg(&time);
        };
        let answer: Option<(u64, String, u64)> =
            HOLDER.run(&self.link, Repeat::Idempotent, "read lock", key, arguments).await?;
        answer
            .map(|(token, owner, left)| self.holder_of(key, Some(token), Some(owner), Some(left)))
            .transpose()
    }

    fn note_timeout(&self) {
        self.link.traffic.lock_timed_out();
    }
}

fn next<T: redis::FromRedisValue>(parts: &mut std::vec::IntoIter<redis::Value>) -> Option<T> {
    parts.next().and_then(|value| redis::from_redis_value(value).ok())
}

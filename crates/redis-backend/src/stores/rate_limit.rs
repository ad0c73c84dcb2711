//! Rate limits on Redis: one sorted set for each window.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{ErrorKind, RateDecision, RateLimit, RateLimitStore, Result};
use redis::Cmd;

use crate::attempt::Attempt;
use crate::link::Link;
use crate::repeat::Repeat;
use crate::script::{LuaScript, lua_script};

static ACQUIRE: LuaScript = lua_script!("joined.lua", "rate_limit.lua");
static GIVE_BACK: LuaScript = lua_script!("rate_limit_give_back.lua");

/// How long an attempt that was taken back before it arrived is remembered, in milliseconds.
const NOTED_FOR: u64 = 600_000;

#[derive(Debug)]
pub(crate) struct RedisRateLimit {
    link: Arc<Link>,
}

impl RedisRateLimit {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }
}

#[async_trait]
impl RateLimitStore for RedisRateLimit {
    async fn acquire(&self, key: &str, limit: RateLimit, permits: u32) -> Result<RateDecision> {
        let window = self.link.contract.millis("acquire permits", key, limit.window)?;
        if permits > limit.permits || limit.permits == 0 {
            return Err(self.link.contract.error(
                ErrorKind::InvalidArgument,
                "acquire permits",
                key,
                format!("{permits} permits of a limit of {} could never be given", limit.permits),
            ));
        }
        self.link.traffic.wrote(1);
        let time = self.link.script_time();
        let attempt = Attempt::new(|name| {
            if permits > 0 {
                give_back(&self.link, key, name);
            }
        });
        let arguments = |command: &mut Cmd| {
            command.arg(limit.permits).arg(window).arg(permits).arg(&time).arg(attempt.name());
        };
        let repeat = if permits == 0 { Repeat::Idempotent } else { Repeat::OnlyIfNotSent };
        let answer =
            ACQUIRE.run_joined(&self.link, repeat, "acquire permits", key, arguments).await;
        attempt.answered(&answer);
        let (is_allowed, remaining, retry_after): (bool, u32, u64) = answer?;
        Ok(RateDecision::new(is_allowed, remaining, Duration::from_millis(retry_after)))
    }
}

/// Gives back the permits of an attempt whose answer was lost.
fn give_back(link: &Arc<Link>, key: &str, attempt: String) {
    let key = key.to_owned();
    link.in_background(move |link| {
        let (key, attempt) = (key.clone(), attempt.clone());
        async move {
            let arguments = |command: &mut Cmd| {
                command.arg(&attempt).arg(NOTED_FOR);
            };
            // The attempt is recorded when it is given back, so a repeated request does nothing.
            let repeat = Repeat::Idempotent;
            GIVE_BACK
                .run::<i64>(&link, repeat, "give permits back", &key, arguments)
                .await
                .map(drop)
        }
    });
}

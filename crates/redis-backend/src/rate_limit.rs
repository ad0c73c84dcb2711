//! Rate limits on Redis: one sorted set a window.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{ErrorKind, RateDecision, RateLimit, RateLimitStore, Result};
use redis::Cmd;

use crate::link::{Link, Repeat};
use crate::script::{LuaScript, lua_script};

static ACQUIRE: LuaScript = lua_script!("rate_limit.lua");

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
        let arguments = |command: &mut Cmd| {
            command.arg(limit.permits).arg(window).arg(permits).arg(&time);
        };
        let (allowed, remaining, retry_after): (bool, u32, u64) = ACQUIRE
            .run(&self.link, Repeat::OnlyIfNotSent, "acquire permits", key, arguments)
            .await?;
        Ok(RateDecision::new(allowed, remaining, Duration::from_millis(retry_after)))
    }
}

//! Rate limits in memory: an exact log of the granted permits.

use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{ErrorKind, RateDecision, RateLimit, RateLimitStore, Result, Timestamp};

use crate::backend::MemoryStores;
use crate::error::Refusal;
use crate::stores::keyspace::Change;
use crate::stores::value::{Entry, Shared, Value};
use crate::stores::window::Window;

const OPERATION: &str = "acquire permits of";

fn window_of(entry: Option<Entry>) -> Result<Option<Shared<Window>>, Refusal> {
    match entry.map(|entry| entry.value) {
        Some(Value::Window(window)) => Ok(Some(window)),
        Some(other) => Err(Refusal::wrong_type(&other, "a rate limit's window")),
        None => Ok(None),
    }
}

fn left(limit: u64, used: u64) -> u32 {
    u32::try_from(limit.saturating_sub(used)).unwrap_or(u32::MAX)
}

#[async_trait]
impl RateLimitStore for MemoryStores {
    async fn acquire(&self, key: &str, limit: RateLimit, permits: u32) -> Result<RateDecision> {
        let millis = self.contract.millis(OPERATION, key, limit.window)?;
        if limit.permits == 0 || permits > limit.permits {
            return Err(self.contract.error(
                ErrorKind::InvalidArgument,
                OPERATION,
                key,
                format!("{permits} at once can never be allowed by a limit of {}", limit.permits),
            ));
        }
        let (limit, permits) = (u64::from(limit.permits), u64::from(permits));
        self.update(OPERATION, key, |old, now| {
            let now_ms = now.as_millis();
            // An entry at the edge or before it no longer counts. A clock within the first window after 1970 has no
            // edge yet.
            let edge = now_ms.saturating_sub(millis);
            let window = window_of(old)?;
            let used = window.as_ref().map_or(0, |window| window.lock().used_after(edge));
            if permits == 0 || used + permits > limit {
                let wait = if permits == 0 {
                    Duration::ZERO
                } else {
                    let oldest = used + permits - limit;
                    let given = window.as_ref().and_then(|w| w.lock().nth_after(edge, oldest));
                    let back = given.unwrap_or(now_ms).saturating_add(millis);
                    Duration::from_millis(back.saturating_sub(now_ms))
                };
                let kept = window.as_ref().and_then(|w| w.lock().asked_with(millis, now_ms));
                let change = match (window, kept) {
                    (Some(window), Some(until)) => {
                        Change::Put(Value::Window(window), Some(Timestamp::from_millis(until)))
                    }
                    _ => Change::Nothing,
                };
                return Ok((change, RateDecision::new(permits == 0, left(limit, used), wait)));
            }
            let window = window.unwrap_or_default();
            let kept = {
                let mut window = window.lock();
                let kept = window.keep_for(millis, now_ms);
                window.give(now_ms, permits);
                kept
            };
            let ends = now.after(Duration::from_millis(kept));
            let answer = RateDecision::new(true, left(limit, used + permits), Duration::ZERO);
            Ok((Change::Put(Value::Window(window), Some(ends)), answer))
        })
    }
}

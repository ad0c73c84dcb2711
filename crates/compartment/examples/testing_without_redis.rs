//! One piece of code on a server and in a test: the test needs no server and never waits.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use compartment::clock::{Clock, ManualClock};
use compartment::rate_limit::{RateLimit, RateLimitStoreExt};
use compartment::{Database, DatabaseMap, Preset, Result};

/// Production code: three calls a minute to a service, whichever process makes them.
async fn call_service(limits: &Database, clock: &dyn Clock) -> Result<&'static str> {
    let limit = RateLimit::new(3, Duration::from_secs(60));
    let decision = limits
        .rate_limit()
        .acquire_within("rate:openai:embed", limit, 1, clock, Duration::ZERO)
        .await?;
    Ok(if decision.is_allowed { "called" } else { "refused" })
}

#[tokio::main]
async fn main() -> Result<()> {
    // In a test: databases in memory, and a clock that moves when told to.
    let clock = ManualClock::default();
    let map = DatabaseMap::preset(Preset::Pipeline, "memory://")?;
    let databases = compartment::open_with_clock(map, Arc::new(clock.clone())).await?;
    let limits = databases.get("rate_limit")?;

    for _ in 0..4 {
        println!("{}", call_service(limits, &clock).await?);
    }
    clock.advance(Duration::from_secs(60));
    println!("a minute later, without waiting for it: {}", call_service(limits, &clock).await?);
    Ok(())
}

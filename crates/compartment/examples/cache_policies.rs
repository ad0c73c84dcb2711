//! Policies from the configuration: another TTL in production, stale values rather than errors,
//! slow loads that nobody waits for.
//!
//! Run it with `cargo run -p compartment --features cache --example cache_policies`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::time::Duration;

use compartment::cache::{Cache, CacheOptions};
use compartment::clock::ManualClock;
use compartment::{DatabaseMapBuilder, KeyTemplate};

const CONFIGURATION: &str = r#"
preset = "pipeline"
environment = "production"

[instances.primary]
url = "memory://"

[cache]
first_tier = "32MiB"
policy = { stale_on_error = "1d", jitter = 0.0 }

[keys.docket]
template = "docket:{court}:{number}"
database = "cache"
ttl = { default = "7d", production = "1h" }
policy = { eager_refresh = 0.8, negative_ttl = "5m", max_entry = "1MiB", max_document = "16MiB" }
"#;

const DOCKET: KeyTemplate<String> = KeyTemplate::new("docket", "docket:{court}:{number}", "cache");

async fn court(answers: bool) -> Result<Option<String>, std::io::Error> {
    if answers {
        Ok(Some("set for trial".to_owned()))
    } else {
        Err(std::io::Error::other("the court's server is down for maintenance"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A clock that moves when told, so that an hour need not be waited for.
    let clock = ManualClock::default();
    let map = DatabaseMapBuilder::toml(CONFIGURATION)?.build()?;
    let databases = compartment::open_with_clock(map, Arc::new(clock.clone())).await?;
    let options = CacheOptions::for_map(databases.map()).clock(Arc::new(clock.clone()));
    let cache = Cache::open(databases.get("cache")?, options).await?;

    let key = DOCKET.key(&["sdny", "1:24-cv-01123"])?;
    let first = cache.get_or_load_optional(&key, || court(true)).await?;
    println!("loaded: {first:?}");

    clock.advance(Duration::from_secs(2 * 3_600));
    let stale = cache.get_or_load_optional(&key, || court(false)).await?;
    println!("an hour after its end, and the court is away: {stale:?}");

    clock.advance(Duration::from_secs(2 * 86_400));
    let error = cache.get_or_load_optional(&key, || court(false)).await;
    println!(
        "two days later: {}",
        error.map_or_else(|error| error.to_string(), |_| "found".into())
    );

    let docket = cache.metrics().templates["docket"];
    println!("{} stale hits, {} failed loads", docket.stale_hits, docket.failed_loads);
    Ok(())
}

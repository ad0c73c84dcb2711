//! A fleet moves out of database 0 while it works: old keys are found in the new place, and counted.
//!
//! Start a Redis to play with, and name an empty database 0 of it:
//!
//! ```sh
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p compartment --features redis --example moving_fleet
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use compartment::counter::CounterStoreExt;
use compartment::key_value::KeyValueStoreExt;
use compartment::{DatabaseMap, DatabaseMapBuilder, Databases, Expiry, Result};

/// All in database 0: what the fleet runs before it moves.
const BEFORE: &str = r#"
[databases]
sessions = { index = 0, shared = true, kind = "durable" }
limits   = { index = 0, shared = true, kind = "coordination", default_ttl = "1m" }
"#;

/// The first deployment: nothing moves yet, but each process also finds what others have moved.
const FIRST: &str = r#"
[databases]
sessions = { index = 0, shared = true, kind = "durable", previous = { index = 6, patterns = ["session:*"] } }
limits   = { index = 0, shared = true, kind = "coordination", default_ttl = "1m", previous = { index = 7, patterns = ["limit:*"] } }
"#;

/// The second: an index each. A key that is still in database 0 comes along when it is asked for.
const SECOND: &str = r#"
[databases]
sessions = { index = 6, kind = "durable", previous = { index = 0, patterns = ["session:*"] } }
limits   = { index = 7, kind = "coordination", default_ttl = "1m", previous = { index = 0, patterns = ["limit:*"] } }
"#;

#[tokio::main]
async fn main() -> Result<()> {
    let Ok(url) = std::env::var("REDIS_URL") else {
        println!("This example needs a Redis server: REDIS_URL=redis://127.0.0.1:6379 names one.");
        return Ok(());
    };
    let open =
        async |file: &str| -> Result<Databases> { compartment::open(map(&url, file)?).await };

    let before = open(BEFORE).await?;
    for user in 0..3 {
        before.get("sessions")?.key_value().put(&format!("session:{user}"), "logged in").await?;
    }
    before.get("limits")?.counter().increment("limit:7f3a", 5, Expiry::DatabaseDefault).await?;
    println!("before: all in index 0");

    // One process of the fleet has the first file, another the second already.
    let (first, second) = (open(FIRST).await?, open(SECOND).await?);
    let (old, new) = (first.get("sessions")?, second.get("sessions")?);
    println!("second reads session:1: {:?}", new.key_value().get("session:1").await?);
    println!("second has brought {} key", new.traffic().snapshot().brought);
    new.key_value().put("session:1", "changed by second").await?;
    println!("first reads it back:    {:?}", old.key_value().get("session:1").await?);
    println!("first has brought {} key", old.traffic().snapshot().brought);

    // A counter goes on where it was, with the expiry that it had.
    let limits = second.get("limits")?;
    println!("the limit goes on: {}", limits.counter().increment_one("limit:7f3a").await?);

    // All processes have the second file: what is asked for comes along, the rest stays behind
    // until `compartment migrate --live` fetches it.
    new.key_value().get("session:0").await?;
    new.key_value().get("session:1").await?;
    let brought = new.traffic().snapshot().brought;
    new.key_value().get("session:0").await?;
    println!(
        "brought so far: {brought}; after one more read: {}",
        new.traffic().snapshot().brought
    );

    for user in 0..3 {
        new.key_value().remove(&format!("session:{user}")).await?;
    }
    limits.key_value().remove("limit:7f3a").await.map(drop)
}

fn map(url: &str, databases: &str) -> Result<DatabaseMap> {
    DatabaseMapBuilder::toml(&format!("[instances.primary]\nurl = {url:?}\n{databases}"))?.build()
}

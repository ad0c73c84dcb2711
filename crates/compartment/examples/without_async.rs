//! The blocking API: the same databases for a program that has no async runtime.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use compartment::blocking;
use compartment::key_value::SetOptions;
use compartment::{DatabaseMap, Expiry, Preset, Result};

fn main() -> Result<()> {
    let databases = blocking::open(DatabaseMap::preset(Preset::Pipeline, "memory://")?)?;
    let cache = databases.get("cache")?;
    cache.key_value().set("greeting", "good morning", SetOptions::default())?;
    println!(
        "{:?} expires in {:?}",
        cache.key_value().get("greeting")?,
        cache.key_value().ttl("greeting")?
    );
    let metrics = databases.get("metrics")?;
    println!("runs: {}", metrics.counter().increment("runs", 1, Expiry::DatabaseDefault)?);
    Ok(())
}

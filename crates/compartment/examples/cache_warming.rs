//! Warming a cache at the start of a program, and figures that all processes share.
//!
//! Run it with `cargo run -p compartment --features cache --example cache_warming`, and with
//! `--features cache,redis -- redis://127.0.0.1:6379` on a server.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use compartment::cache::{Cache, CacheOptions, FleetMetrics, WarmOptions};
use compartment::clock::{Clock, SystemClock};
use compartment::{DatabaseMap, KeyTemplate, Preset};

const SUMMARY: KeyTemplate<String> =
    KeyTemplate::new("summary", "doc:summary:{document_uuid}", "cache");

/// The documents that are going to be asked for, the likeliest first.
const RECENT: [&str; 3] = ["7f3a", "81c0", "94d1"];

async fn warm(cache: Cache) {
    let reads = RECENT.map(|document| {
        let cache = cache.of_document(document);
        async move {
            let key = SUMMARY.key(&[document])?;
            let load = move || async move { Ok::<_, std::io::Error>(format!("of {document}")) };
            cache.get_or_load(&key, load).await.map(|_| true)
        }
    });
    // It stops when the first tier, or the database's memory budget, is full.
    let report = cache.warm(reads, &WarmOptions::default().concurrency(2), |_| {}).await;
    println!("{} documents are warm", report.found);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://".into());
    let databases = compartment::open(DatabaseMap::preset(Preset::Pipeline, &url)?).await?;
    let metrics = databases.get("metrics")?;

    let options = CacheOptions::for_map(databases.map()).metrics(metrics);
    let cache = Cache::open(databases.get("cache")?, options).await?;
    // It runs beside whatever else the program begins with.
    let (done, is_done) = tokio::sync::oneshot::channel();
    cache.spawn(|cache| async move {
        warm(cache).await;
        let _ = done.send(());
    });
    is_done.await?;

    for document in RECENT {
        assert!(cache.get(&SUMMARY.key(&[document])?).await?.is_some());
    }

    // Every ten seconds, and once more at the end.
    cache.close().await?;
    let window = Duration::from_secs(300);
    let fleet = FleetMetrics::read(metrics, "cache", window, SystemClock.now()).await?;
    println!("{:.0} % of all reads were hits", fleet.hit_rate().unwrap_or_default() * 100.0);
    print!("{}", fleet.to_prometheus().lines().take(4).fold(String::new(), |a, l| a + l + "\n"));
    Ok(())
}

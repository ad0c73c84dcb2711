//! Reading through a cache: loaded once, gone with its document, stale rather than nothing.
//!
//! Run it with `cargo run -p compartment --features cache --example cached_reads`, and with
//! `--features cache,redis -- redis://127.0.0.1:6379` on a server.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use compartment::cache::{Cache, CacheOptions, CachePolicy};
use compartment::{DatabaseMap, KeyTemplate, Preset};

const SUMMARY: KeyTemplate<String> =
    KeyTemplate::new("summary", "doc:summary:{document_uuid}", "cache");

/// What takes long, and fails now and then.
async fn summarise(document: &'static str, works: bool) -> Result<String, std::io::Error> {
    println!("summarising {document}");
    if works {
        Ok(format!("a summary of {document}"))
    } else {
        Err(std::io::Error::other("the model does not answer"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://".into());
    let databases = compartment::open(DatabaseMap::preset(Preset::Pipeline, &url)?).await?;

    // TTLs come from `[keys]` of the configuration, the rest from policies.
    let options = CacheOptions::for_map(databases.map()).policy(
        CachePolicy::default()
            .ttl(Duration::from_secs(3 * 86_400))
            .stale_on_error(Duration::from_secs(86_400))
            .soft_timeout(Duration::from_millis(500)),
    );
    let cache = Cache::open(databases.get("cache")?, options).await?;

    // However many ask at once, in however many processes: one summarises.
    let key = SUMMARY.key(&["7f3a"])?;
    let document = cache.of_document("7f3a");
    let reads = (0..100).map(|_| {
        let (document, key) = (document.clone(), key.clone());
        tokio::spawn(async move {
            document.get_or_load(&key, || summarise("7f3a", true)).await.map(|text| text.len())
        })
    });
    for read in reads.collect::<Vec<_>>() {
        read.await??;
    }

    // The document has changed: what was derived from it is not served any more, anywhere.
    println!("invalidated: {:?}", cache.invalidate_document("7f3a").await);
    let again = document.get_or_load(&key, || summarise("7f3a", false)).await;
    println!("{}", again.map_or_else(|error| error.to_string(), |text| (*text).clone()));

    let metrics = cache.metrics();
    println!("{:.0} % of the reads were hits", metrics.hit_rate().unwrap_or_default() * 100.0);
    Ok(())
}

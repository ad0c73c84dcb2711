//! Invalidates cached values: by key, document, tag and pattern, and marks a document as not to be cached.
//!
//! Run it with `cargo run -p compartment --features cache --example cache_invalidation`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use compartment::cache::{Cache, CacheOptions};
use compartment::{DatabaseMap, KeyTemplate, Preset, TypedKey};

const PAGE: KeyTemplate<String> = KeyTemplate::new("page", "doc:page:{document}:{page}", "cache");

async fn fill(cache: &Cache) -> compartment::Result<Vec<TypedKey<String>>> {
    let mut keys = Vec::new();
    for (document, court) in [("7f3a", "sdny"), ("81c0", "sdny"), ("94d1", "ca9")] {
        let key = PAGE.key(&[document, "1"])?;
        let of_document = cache.of_document(document).tagged(&format!("court:{court}"));
        let _ = of_document.set(&key, format!("page 1 of {document}")).await?;
        keys.push(key);
    }
    Ok(keys)
}

async fn left(cache: &Cache, keys: &[TypedKey<String>]) -> compartment::Result<usize> {
    Ok(cache.get_many(keys).await?.iter().flatten().count())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let databases = compartment::open(DatabaseMap::preset(Preset::Pipeline, "memory://")?).await?;
    let cache = Cache::open(databases.get("cache")?, CacheOptions::default()).await?;

    let keys = fill(&cache).await?;
    let _ = cache.remove(&keys[0]).await?;
    println!("after one key was removed, {} of 3 are left", left(&cache, &keys).await?);

    fill(&cache).await?;
    let _ = cache.invalidate_document("7f3a").await;
    println!("after one document changed, {} are left", left(&cache, &keys).await?);

    fill(&cache).await?;
    let _ = cache.invalidate_tag("court:sdny").await;
    println!("after a court's rules changed, {} is left", left(&cache, &keys).await?);

    fill(&cache).await?;
    let count = cache.count_matching("doc:page:*").await?;
    let removed = cache.remove_matching("doc:page:*", count).await?;
    println!("{count} keys match doc:page:*, {removed} were removed");

    // A document that spoils whatever is cached of it: nothing is kept until the mark is taken back.
    let _ = cache.set_no_cache("94d1", true).await;
    fill(&cache).await?;
    println!(
        "{} are kept, and {:?} is marked",
        left(&cache, &keys).await?,
        cache.no_cache_documents().await?
    );
    Ok(())
}

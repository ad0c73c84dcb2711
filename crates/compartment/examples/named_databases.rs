//! Named databases in thirty lines: each purpose apart, each with its contract.
//!
//! Run it with `cargo run -p compartment --example named_databases`, and with
//! `--features redis -- redis://127.0.0.1:6379` on a server.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use compartment::key_value::KeyValueStoreExt;
use compartment::{DatabaseMap, Expiry, KeyTemplate, Preset, Result};

/// A key that cannot be written to the wrong database, or with the wrong type.
const DOC_STATE: KeyTemplate<Vec<String>> =
    KeyTemplate::new("doc_state", "doc:state:{document_uuid}", "cache")
        .with_ttl(Duration::from_secs(3 * 86_400));

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory://".into());
    let databases = compartment::open(DatabaseMap::preset(Preset::Pipeline, &url)?).await?;

    let key = DOC_STATE.key(&["7f3a"])?;
    databases.write(&key, &vec!["extracted".to_owned(), "chunked".to_owned()]).await?;
    println!("{} holds {:?}", key.as_str(), databases.read(&key).await?);

    // The same name in another database is another key.
    let batch = databases.get("batch")?;
    println!("in batch it holds {:?}", batch.key_value().get(key.as_str()).await?);

    // The contract is kept: a limit without a TTL would never end.
    let limits = databases.get("rate_limit")?;
    let refused = limits.counter().increment("rate:openai:embed", 1, Expiry::Never).await;
    println!("refused: {}", refused.map_or_else(|error| error.to_string(), |sum| sum.to_string()));

    batch.key_value().put("greeting", "good morning").await
}

//! A lock whose holder may be late: the resource refuses a token that is older than the newest.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Mutex;
use std::time::Duration;

use compartment::lock::{FencingToken, LockOptions, LockStoreExt};
use compartment::{DatabaseMap, Preset, Result};

/// What the lock protects: it remembers the greatest token that it has seen.
#[derive(Default)]
struct Ledger {
    entries: Mutex<(u64, Vec<String>)>,
}

impl Ledger {
    fn write(&self, token: FencingToken, entry: &str) -> std::result::Result<(), String> {
        let mut entries = self.entries.lock().map_err(|error| error.to_string())?;
        if token.number() < entries.0 {
            return Err(format!("token {token} is older than {}: refused", entries.0));
        }
        entries.0 = token.number();
        entries.1.push(entry.to_owned());
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let databases = compartment::open(DatabaseMap::preset(Preset::Pipeline, "memory://")?).await?;
    let locks = databases.get("rate_limit")?.lock();
    let ledger = Ledger::default();

    let options = || LockOptions::default().lease(Duration::from_secs(30));
    let Some(first) = locks.lock("doc:7f3a", options().owner("worker 1")).await? else {
        return Ok(());
    };
    let late = first.token();
    println!("worker 1 holds the lock with token {late}");
    if let Some(holder) = locks.holder("doc:7f3a").await? {
        println!("asked, the lock says: {} for another {:?}", holder.owner, holder.remaining);
    }

    // While the work runs, the lease renews itself; should it be lost, the work stops.
    first.run(async { println!("written: {:?}", ledger.write(late, "by worker 1")) }).await?;
    first.release().await?;

    let Some(second) = locks.lock("doc:7f3a", options().owner("worker 2")).await? else {
        return Ok(());
    };
    println!("worker 2 holds it with token {}", second.token());
    println!("written: {:?}", ledger.write(second.token(), "by worker 2"));
    // Worker 1 was suspended and has not noticed: its token gives it away.
    println!("worker 1 again: {:?}", ledger.write(late, "too late"));
    second.release().await.map(drop)
}

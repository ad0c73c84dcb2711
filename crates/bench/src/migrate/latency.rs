//! The latency of another client while a migration runs, including one of an 80 MB hash.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use compartment_admin::migrate::{MigrateOptions, Migration, Routes, migrate};
use compartment_admin::{Limits, Silent};
use compartment_testkit::TestRedis;

use super::{Bench, Failure};

/// Operations per second of the other client.
const RATE: u64 = 5_000;

pub(super) async fn measure(bench: &Bench<'_>) -> Result<Vec<String>, Failure> {
    add_large_hash(&bench.server).await?;
    let mut lines = Vec::new();
    let idle = observe(bench, None, false).await?;
    lines.push(line("no migration", &idle));
    let (from, to) = (0, 1);
    let free = observe(bench, Some((from, to, Limits::default())), true).await?;
    lines.push(line("migration, no limit", &free));
    let limits = Limits::default().latency(Some(Duration::from_millis(5)));
    let limited = observe(bench, Some((to, from, limits)), true).await?;
    lines.push(line("migration, --limit-latency 5ms", &limited) + " (wanted p99 <= 10 ms)");
    bench.server.command(&["UNLINK", "large"]).await;
    Ok(lines)
}

struct Seen {
    micros: Vec<u64>,
    seconds: f64,
}

fn line(what: &str, seen: &Seen) -> String {
    let at = |share: f64| {
        let place = ((seen.micros.len() as f64 - 1.0) * share) as usize;
        seen.micros.get(place).copied().unwrap_or(0) as f64 / 1_000.0
    };
    format!(
        "{what}: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, worst {:.1} ms, {} requests in {:.1} s",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        seen.micros.len(),
        seen.seconds
    )
}

/// Runs a client that sends requests at a fixed rate, even if the last answer has not come;
/// latencies count from the time when a request was due.
async fn observe(
    bench: &Bench<'_>,
    migration: Option<(u32, u32, Limits)>,
    until_done: bool,
) -> Result<Seen, Failure> {
    let client = redis::Client::open(format!("{}/5", bench.server.url()))?;
    let connection = client.get_multiplexed_async_connection().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let started = Instant::now();
    let asking = tokio::spawn(async move {
        let mut answers = tokio::task::JoinSet::new();
        let mut micros = Vec::new();
        let begun = Instant::now();
        let mut sent = 0;
        while !stopped.load(Ordering::Relaxed) {
            let due = begun + Duration::from_micros(sent * 1_000_000 / RATE);
            tokio::time::sleep_until(due.into()).await;
            sent += 1;
            let mut connection = connection.clone();
            answers.spawn(async move {
                let key = format!("probe:{}", sent % 1_000);
                let mut command = if sent % 2 == 0 { redis::cmd("GET") } else { redis::cmd("SET") };
                command.arg(key);
                if sent % 2 == 1 {
                    command.arg(sent);
                }
                let _ = command.query_async::<redis::Value>(&mut connection).await;
                due.elapsed().as_micros() as u64
            });
            while let Some(Ok(took)) = answers.try_join_next() {
                micros.push(took);
            }
        }
        while let Some(Ok(took)) = answers.join_next().await {
            micros.push(took);
        }
        micros.sort_unstable();
        micros
    });
    if let Some((from, to, limits)) = migration {
        let journal = bench.folder.join(format!("latency-{from}.journal"));
        let mut options = MigrateOptions::new(&journal);
        options.limits = limits;
        let migration = Migration {
            source: bench.place(from).await?,
            targets: vec![bench.place(to).await?],
            routes: Routes::single("all", &[], None),
            options,
        };
        migrate(migration, Arc::new(Silent)).await?;
        std::fs::remove_file(journal)?;
    } else if !until_done {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let micros = asking.await?;
    Ok(Seen { micros, seconds: started.elapsed().as_secs_f64() })
}

async fn add_large_hash(server: &TestRedis) -> Result<(), Failure> {
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let value = "v".repeat(60);
    for from in (0..800_000).step_by(1_000) {
        let mut command = redis::cmd("HSET");
        command.arg("large");
        for i in from..from + 1_000 {
            command.arg(format!("field-{i}")).arg(&value);
        }
        command.exec_async(&mut connection).await?;
    }
    Ok(())
}

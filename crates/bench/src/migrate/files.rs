//! Backups beside `redis-cli --rdb`, and restores beside a server that loads the file.

use std::process::Stdio;
use std::time::Instant;

use compartment_admin::Silent;
use compartment_admin::backup::{BackupOptions, Via, backup};
use compartment_admin::restore::{RestoreOptions, restore};
use compartment_testkit::TestRedis;

use super::{Bench, Failure, Row, place};

/// Measures both ways of backing up, and restoring.
pub(super) async fn measure(bench: &Bench<'_>) -> Result<Vec<Row>, Failure> {
    let file = bench.folder.join("backup.rdb");
    let (mut scan, mut copy, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        theirs.push(bench.rate(redis_cli(bench).await?));
        copy.push(bench.rate(back_up(bench, Via::Replication).await?));
        scan.push(bench.rate(back_up(bench, Via::Scan).await?));
    }
    let (mut ours, mut loads) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let server = TestRedis::builder().rdb(&file).start().await;
        loads.push(bench.rate(loading_seconds(&server).await?));
        drop(server);
        let empty = TestRedis::start().await;
        let target = place(&empty.url(), 0).await?;
        let started = Instant::now();
        let report = restore(&file, &target, &RestoreOptions::default(), &Silent).await?;
        ours.push(bench.rate(started.elapsed().as_secs_f64()));
        if report.restored != bench.keys {
            return Err(format!("{} keys of {} restored", report.restored, bench.keys).into());
        }
    }
    let against = "redis-cli --rdb";
    Ok(vec![
        Row { what: "backup, scan", against, ours: scan, theirs: theirs.clone(), wanted: 0.5 },
        Row { what: "backup, replication", against, ours: copy, theirs, wanted: 0.5 },
        Row { what: "restore", against: "server that loads it", ours, theirs: loads, wanted: 0.3 },
    ])
}

/// The time that the server logged for loading its file.
async fn loading_seconds(server: &TestRedis) -> Result<f64, Failure> {
    for _ in 0..600 {
        // `DB loaded from disk: 1.234 seconds`
        let log = server.log();
        if let Some((_, rest)) = log.split_once("DB loaded from disk: ") {
            return Ok(rest.split(' ').next().unwrap_or_default().parse()?);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err("the server does not say that it has loaded the file".into())
}

async fn back_up(bench: &Bench<'_>, via: Via) -> Result<f64, Failure> {
    let file = bench.folder.join("backup.rdb");
    let _ = std::fs::remove_file(&file);
    let place = bench.place(0).await?;
    let options = BackupOptions::default().via(via);
    let started = Instant::now();
    let report = backup(&place, None, &file, &options, &Silent).await?;
    let seconds = started.elapsed().as_secs_f64();
    if report.keys != bench.keys {
        return Err(format!("{} keys of {} backed up", report.keys, bench.keys).into());
    }
    Ok(seconds)
}

async fn redis_cli(bench: &Bench<'_>) -> Result<f64, Failure> {
    let file = bench.folder.join("redis-cli.rdb");
    let started = Instant::now();
    let status = tokio::process::Command::new("redis-cli")
        .args(["-p", &bench.server.port().to_string(), "--rdb"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await?;
    let seconds = started.elapsed().as_secs_f64();
    std::fs::remove_file(file)?;
    if status.success() { Ok(seconds) } else { Err("redis-cli --rdb has failed".into()) }
}

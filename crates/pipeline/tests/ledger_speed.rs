//! How many rows a second a mirror brings: `cargo test --release -p compartment-pipeline --features ledger
//! --test ledger_speed -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "what is measured is printed")]

mod ledger_fixtures;

use std::time::Instant;

use compartment_core::Database;
use compartment_pipeline::ledger::{Ledger, LedgerMirror};
use compartment_testkit::{TestPostgres, TestRedis, run_test};
use ledger_fixtures::batches::{in_memory, on_redis, submitted, work};
use ledger_fixtures::in_a_file;

const DOCUMENTS: u32 = 200_000;

async fn measure(what: &str, batch: Database, ledger: &Ledger, at_once: usize) {
    submitted(&batch, "papers", DOCUMENTS).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    let begun = Instant::now();
    mirror.mirror_once("papers").await.unwrap();
    let copied = f64::from(DOCUMENTS) / begun.elapsed().as_secs_f64();
    work(&batch, "papers", at_once).await;
    let begun = Instant::now();
    let mirrored = mirror.mirror_once("papers").await.unwrap();
    let rows = mirrored.rows as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{what}, {at_once} documents a claim: {rows:.0} rows/s; {copied:.0} documents/s copied"
    );
}

#[test]
#[ignore = "a measurement"]
fn rows_a_second() {
    run_test(async {
        for at_once in [1_000, 100, 10] {
            let (ledger, _folder) = in_a_file();
            measure("memory to SQLite", in_memory().await.0, &ledger, at_once).await;
        }
        let redis = TestRedis::start().await;
        let (ledger, _folder) = in_a_file();
        measure("Redis to SQLite", on_redis(&redis.url()).await, &ledger, 100).await;
        let Some(server) = TestPostgres::start().await else { return };
        let ledger = Ledger::at(&server.url()).unwrap();
        measure("memory to PostgreSQL", in_memory().await.0, &ledger, 100).await;
    });
}

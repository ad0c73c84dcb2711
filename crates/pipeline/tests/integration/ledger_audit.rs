//! Audits find differences between batch and ledger, and repairs correct them.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::Backend;
use compartment_core::{BatchStatus, Contract, Database, DatabaseKind, Timestamp};
use compartment_memory::MemoryBackend;
use compartment_pipeline::ledger::{
    AUDIT_WORKER, DriftKind, Ledger, LedgerMirror, LedgerStatus, LedgerTask,
};
use compartment_pipeline::{BatchRecord, BatchRegistry};
use compartment_testkit::{RespConnection, TestPostgres, TestRedis, run_test};

use crate::ledger_fixtures::batches::{in_memory, on_redis, step, submitted, work};
use crate::ledger_fixtures::{execute, in_a_file};

/// The findings as text: `extract done_without_row 3,9`.
async fn found(mirror: &LedgerMirror) -> Vec<String> {
    let report = mirror.audit("papers").await.unwrap();
    assert!(report.compared_with_ledger);
    let one = |drift: &compartment_pipeline::ledger::LedgerDrift| {
        let json = serde_json::to_value(drift).unwrap();
        let of = |field: &str| json[field].as_str().unwrap().to_owned();
        format!("{} {} {}", of("stage"), of("kind"), of("ordinals"))
    };
    report.ledger.iter().map(one).collect()
}

async fn row(ledger: &Ledger, ordinal: u64, stage: &str) -> Option<LedgerTask> {
    let rows = ledger.task("papers", ordinal).await.unwrap();
    rows.into_iter().find(|row| row.task_type == stage)
}

/// Lost rows are written again from the bits.
async fn missing_rows_are_written(batch: Database, ledger: Ledger) {
    submitted(&batch, "papers", 1_500).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    step(&batch, "papers", 0, 500).await.unwrap();
    assert!(mirror.audit("papers").await.unwrap().is_clean(), "in the middle of its life");
    work(&batch, "papers", 100).await;
    let report = mirror.audit("papers").await.unwrap();
    assert!(report.is_clean() && report.drift() == 0, "what waited was brought first: {report:?}");
    execute(
        &ledger,
        "DELETE FROM processing_tasks WHERE task_type = 'extract' AND ordinal IN (1007, 7, 3, 4, 5)",
    )
    .await;
    execute(&ledger, "UPDATE processing_tasks SET status = 'failed' WHERE ordinal = 1499").await;
    let wanted = [
        "extract done_without_row 3-5,1499",
        "extract dead_without_row 7,1007",
        "chunk done_without_row 1499",
    ];
    assert_eq!(found(&mirror).await, wanted);
    let report = mirror.audit("papers").await.unwrap();
    assert_eq!((report.drift(), report.is_clean()), (7, false));
    let repaired = mirror.repair(&report).await.unwrap();
    assert_eq!((repaired.rows, repaired.bits), (7, 0));
    assert!(mirror.audit("papers").await.unwrap().is_clean());
    let dead = row(&ledger, 7, "extract").await.unwrap();
    assert_eq!((dead.status, dead.worker.as_str()), (LedgerStatus::Dead, AUDIT_WORKER));
    assert!(dead.error.unwrap().contains("no row tells the error"));
    assert_eq!(row(&ledger, 3, "extract").await.unwrap().document.as_deref(), Some("case-3.pdf"));
}

#[tokio::test]
async fn missing_rows_are_written_from_bits() {
    let (ledger, _folder) = in_a_file();
    missing_rows_are_written(in_memory().await.0, ledger).await;
}

#[tokio::test]
async fn missing_rows_are_written_from_bits_on_postgresql() {
    let Some(server) = TestPostgres::start().await else { return };
    missing_rows_are_written(in_memory().await.0, Ledger::at(&server.url()).unwrap()).await;
}

/// Executes a command in the batch database of a server, without the stores.
async fn on_server(redis: &TestRedis, command: &[&str]) {
    let mut connection = RespConnection::open(redis.port()).await.unwrap();
    connection.send(&["SELECT", "4"]).await.unwrap();
    connection.send(command).await.unwrap();
}

#[test]
#[ignore = "needs redis-server"]
fn missing_bits_and_counts_are_restored_from_rows() {
    run_test(async {
        let redis = TestRedis::start().await;
        let batch = on_redis(&redis.url()).await;
        let (ledger, _folder) = in_a_file();
        submitted(&batch, "papers", 1_020).await;
        work(&batch, "papers", 100).await;
        let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
        let sound = batch.batch().progress("papers").await.unwrap().unwrap();
        assert_eq!(sound.status, BatchStatus::Completed);
        mirror.mirror_once("papers").await.unwrap();
        // Each document has a bit for each stage: with two stages, document 9 of the second is bit 19.
        for (bits, bit) in [("done", "19"), ("done", "40"), ("dead", "14")] {
            on_server(&redis, &["SETBIT", &format!("{{batch:papers}}:{bits}"), bit, "0"]).await;
        }
        let report = mirror.audit("papers").await.unwrap();
        assert!(!report.counters.is_empty(), "{report:?}");
        let wanted = [
            "extract row_without_done 20",
            "extract row_without_dead 7",
            "chunk row_without_done 9",
        ];
        assert_eq!(found(&mirror).await, wanted);
        let repaired = mirror.repair(&report).await.unwrap();
        assert_eq!((repaired.batch, repaired.rows, repaired.bits), (true, 0, 3));
        let report = mirror.audit("papers").await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        let progress = batch.batch().progress("papers").await.unwrap().unwrap();
        assert_eq!((progress.done, progress.dead), (sound.done, sound.dead));
        let failures = ledger.failures("papers", 10).await.unwrap();
        assert_eq!(failures[0].error, "the page is blank");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_batch_that_is_worked_on_has_no_drift_at_any_moment() {
    run_test(async {
        let redis = TestRedis::start().await;
        let batch = on_redis(&redis.url()).await;
        let (ledger, _folder) = in_a_file();
        submitted(&batch, "papers", 2_000).await;
        let mirror = LedgerMirror::new(batch.clone(), ledger);
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let batch = batch.clone();
                tokio::spawn(async move { work(&batch, "papers", 10).await })
            })
            .collect();
        // Another mirror runs all the time, as beside a worker.
        let other = mirror.clone().page(5);
        let others = tokio::spawn(async move {
            loop {
                let _ = other.mirror_once("papers").await;
            }
        });
        let mut audits = 0;
        while !workers.iter().all(tokio::task::JoinHandle::is_finished) {
            let report = mirror.audit("papers").await.unwrap();
            assert!(report.is_clean(), "{report:?}");
            audits += 1;
        }
        assert!(audits > 0);
        others.abort();
    });
}

#[tokio::test]
async fn a_batch_without_an_outbox_is_compared_with_itself_only() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    let plan = compartment_core::BatchPlan::chain(&["extract"]);
    batch.batch().create("papers", &plan).await.unwrap();
    batch.batch().submit("papers", vec![Bytes::from_static(b"a")]).await.unwrap();
    let record = BatchRecord::new("papers", "papers", Timestamp::from_millis(7));
    BatchRegistry::new(batch.clone()).add(&record).await.unwrap();
    let mirror = LedgerMirror::new(batch, ledger.clone());
    let report = mirror.audit("papers").await.unwrap();
    assert!(report.is_clean() && !report.compared_with_ledger);
    // A batch without an outbox is not mirrored.
    assert!(mirror.mirror_all().await.unwrap().is_nothing());
    assert!(ledger.batches().await.unwrap().is_empty());
}

#[tokio::test]
async fn drift_is_shown_in_the_metrics() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    let contract = Contract::new("metrics", DatabaseKind::Durable)
        .with_index(5)
        .default_ttl(Duration::from_secs(60));
    let metrics = MemoryBackend::default().open(contract).await.unwrap();
    submitted(&batch, "papers", 10).await;
    work(&batch, "papers", 5).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone()).metrics(metrics.clone());
    mirror.mirror_once("papers").await.unwrap();
    execute(&ledger, "DELETE FROM processing_tasks WHERE ordinal = 3").await;
    let report = mirror.audit("papers").await.unwrap();
    assert_eq!(report.ledger[0].kind, DriftKind::DoneWithoutRow);
    mirror.export_drift(&metrics, &report).await.unwrap();
    let fields = metrics.hash().get_all("compartment:batch:audit:batch:papers").await.unwrap();
    assert_eq!(fields["drift"], Bytes::from_static(b"2"));
    assert_eq!(fields["done_without_row"], Bytes::from_static(b"2"));
}

//! A batch database that was flushed is rebuilt from the ledger.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use bytes::Bytes;
use compartment_core::{BatchStatus, Database, ErrorKind, Timestamp};
use compartment_pipeline::ledger::{Ledger, LedgerMirror, RebuildOutcome};
use compartment_pipeline::{BatchRecord, BatchRegistry};
use compartment_testkit::{RespConnection, TestPostgres, TestRedis, run_test};

use crate::ledger_fixtures::batches::{in_memory, on_redis, plan, step, submitted, work};
use crate::ledger_fixtures::{execute, in_a_file};

async fn forget(batch: &Database, name: &str) {
    BatchRegistry::new(batch.clone()).remove(name).await.unwrap();
    assert!(batch.batch().remove(name).await.unwrap());
}

async fn progress(batch: &Database, name: &str) -> compartment_core::BatchProgress {
    batch.batch().progress(name).await.unwrap().unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn what_a_flush_took_is_rebuilt_and_the_work_goes_on() {
    run_test(async {
        let redis = TestRedis::start().await;
        let batch = on_redis(&redis.url()).await;
        let (ledger, _folder) = in_a_file();
        submitted(&batch, "half", 2_300).await;
        for _ in 0..10 {
            step(&batch, "half", 0, 100).await.unwrap();
        }
        for _ in 0..4 {
            step(&batch, "half", 1, 100).await.unwrap();
        }
        submitted(&batch, "over", 40).await;
        work(&batch, "over", 10).await;
        let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
        mirror.mirror_all().await.unwrap();
        let (half, over) = (progress(&batch, "half").await, progress(&batch, "over").await);

        let mut connection = RespConnection::open(redis.port()).await.unwrap();
        connection.send(&["SELECT", "4"]).await.unwrap();
        connection.send(&["FLUSHDB"]).await.unwrap();
        assert!(batch.batch().progress("half").await.unwrap().is_none());

        let mut steps = 0;
        let outcomes = mirror.rebuild_all(|_, _| steps += 1).await.unwrap();
        let rebuilt = |name: &str| {
            let outcome = outcomes.iter().find(|one| one.0 == name).map(|one| &one.1);
            let Some(RebuildOutcome::Rebuilt(rebuilt)) = outcome else { return None };
            Some((rebuilt.documents, rebuilt.facts, rebuilt.missing))
        };
        let facts = half.stages.iter().map(|stage| stage.done + stage.dead).sum();
        assert_eq!(rebuilt("half"), Some((2_300, facts, 0)), "{outcomes:?}");
        assert_eq!(rebuilt("over"), Some((40, 79, 0)), "{outcomes:?}");
        assert!(steps >= 5);

        let again = progress(&batch, "half").await;
        assert_eq!((again.total, again.done, again.dead), (half.total, half.done, half.dead));
        for (before, now) in half.stages.iter().zip(&again.stages) {
            assert_eq!((before.done, before.dead), (now.done, now.dead));
        }
        assert_eq!(again.status, BatchStatus::Sealed);
        assert_eq!(progress(&batch, "over").await.status, over.status);
        assert_eq!(BatchRegistry::new(batch.clone()).list().await.unwrap().len(), 2);
        work(&batch, "half", 100).await;
        assert_eq!(progress(&batch, "half").await.status, BatchStatus::Completed);
        let report = mirror.audit("half").await.unwrap();
        assert!(report.is_clean(), "{report:?}");
    });
}

async fn a_batch_comes_back(ledger: &Ledger) {
    let (batch, _clock) = in_memory().await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    // Open, paused, and with an entry that is not text.
    batch.batch().create("open", &plan().max_attempts(5)).await.unwrap();
    let record = BatchRecord::new("open", "papers", Timestamp::from_millis(7));
    BatchRegistry::new(batch.clone()).add(&record).await.unwrap();
    let entries = vec![Bytes::from_static(b"\xff\0\x01"), Bytes::from_static(b"text \xc3\xa4")];
    batch.batch().submit("open", entries.clone()).await.unwrap();
    batch.batch().pause("open", true).await.unwrap();
    mirror.mirror_once("open").await.unwrap();
    forget(&batch, "open").await;
    mirror.rebuild("open", |_| ()).await.unwrap();
    assert_eq!(batch.batch_upkeep().entries("open", 0, 10).await.unwrap(), entries);
    let back = progress(&batch, "open").await;
    assert_eq!((back.status, back.is_paused), (BatchStatus::Open, true));
    assert_eq!(batch.batch().plan("open").await.unwrap(), plan().max_attempts(5));
    let known = BatchRegistry::new(batch.clone()).get("open").await.unwrap();
    assert_eq!(known, Some(record));
}

#[tokio::test]
async fn a_batch_comes_back_as_it_was() {
    let (ledger, _folder) = in_a_file();
    a_batch_comes_back(&ledger).await;
}

#[tokio::test]
async fn a_batch_comes_back_as_it_was_from_postgresql() {
    let Some(server) = TestPostgres::start().await else { return };
    a_batch_comes_back(&Ledger::at(&server.url()).unwrap()).await;
}

#[tokio::test]
async fn a_batch_that_is_there_is_left_as_it_is() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 5).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    mirror.mirror_once("papers").await.unwrap();
    let error = mirror.rebuild("papers", |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contract, "{error}");
    let error = mirror.rebuild("nothing", |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    forget(&batch, "papers").await;
    ledger.note_removed("papers").await.unwrap();
    let outcomes = mirror.rebuild_all(|_, _| ()).await.unwrap();
    assert!(matches!(outcomes[0].1, RebuildOutcome::WasRemoved), "{outcomes:?}");
    // Requested by name, the batch is rebuilt, and no longer recorded as removed.
    mirror.rebuild("papers", |_| ()).await.unwrap();
    assert_eq!(progress(&batch, "papers").await.status, BatchStatus::Sealed);
    forget(&batch, "papers").await;
    let outcomes = mirror.rebuild_all(|_, _| ()).await.unwrap();
    assert!(matches!(outcomes[0].1, RebuildOutcome::Rebuilt(_)), "{outcomes:?}");
}

#[tokio::test]
async fn a_rebuilding_that_was_cut_short_begins_anew() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 1_500).await;
    work(&batch, "papers", 100).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    mirror.mirror_once("papers").await.unwrap();
    forget(&batch, "papers").await;
    // The state left by a process that was killed after its first page.
    execute(&ledger, "UPDATE batches SET rebuilding = 1 WHERE name = 'papers'").await;
    batch.batch().create("papers", &plan()).await.unwrap();
    batch.batch().submit("papers", vec![Bytes::from_static(b"case-0.pdf")]).await.unwrap();
    let rebuilt = mirror.rebuild("papers", |_| ()).await.unwrap();
    assert_eq!((rebuilt.documents, rebuilt.missing), (1_500, 0));
    assert_eq!(progress(&batch, "papers").await.status, BatchStatus::Completed);
    assert!(mirror.audit("papers").await.unwrap().is_clean());
}

#[tokio::test]
async fn documents_that_never_arrived_are_told_of() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 10).await;
    work(&batch, "papers", 10).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    mirror.mirror_once("papers").await.unwrap();
    forget(&batch, "papers").await;
    execute(&ledger, "DELETE FROM batch_documents WHERE ordinal >= 8").await;
    let rebuilt = mirror.rebuild("papers", |_| ()).await.unwrap();
    assert_eq!((rebuilt.documents, rebuilt.missing), (8, 2));
    forget(&batch, "papers").await;
    execute(&ledger, "DELETE FROM batch_documents WHERE ordinal = 3").await;
    let error = mirror.rebuild("papers", |_| ()).await.unwrap_err();
    assert!(error.to_string().contains("not document 3"), "{error}");
}

//! A batch that replaces a removed one of its name is another batch for the ledger too.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use compartment_core::{Database, ErrorKind, RestoredFact, TaskClass, Timestamp};
use compartment_pipeline::ledger::{LedgerMirror, RebuildOutcome};
use compartment_pipeline::{BatchRecord, BatchRegistry, RemovalWitness};

use crate::ledger_fixtures::batches::{in_memory, plan, step, submitted};
use crate::ledger_fixtures::dying::Dying;
use crate::ledger_fixtures::in_a_file;

/// Replaces the batch by one with other documents, none of them processed yet.
async fn made_anew(batch: &Database, name: &str) -> BatchRecord {
    let registry = BatchRegistry::new(batch.clone());
    assert!(batch.batch().remove(name).await.unwrap());
    registry.remove(name).await.unwrap();
    let created_at = Timestamp::from_millis(1_790_000_000_777);
    let record = BatchRecord::new(name, "papers", created_at);
    assert!(registry.add(&record).await.unwrap());
    assert!(batch.batch().create(name, &plan()).await.unwrap());
    let entries = (0..5).map(|n| Bytes::from(format!("another {n}"))).collect();
    batch.batch().submit(name, entries).await.unwrap();
    record
}

#[tokio::test]
async fn a_late_mirror_of_a_former_batch_takes_nothing_of_the_next() {
    let (batch, clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 30).await;
    step(&batch, "papers", 0, 30).await.unwrap();
    let (dawdling, faults) = Dying::around(&batch);
    faults.may_go_on.forget_permits(1_000_000);
    let mirror = LedgerMirror::new(dawdling, ledger.clone());
    let slow = tokio::spawn(async move { mirror.mirror_once("papers").await });
    while ledger.batch("papers").await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(1));
    made_anew(&batch, "papers").await;
    step(&batch, "papers", 0, 2).await.unwrap();
    let waiting = batch.batch_upkeep().outbox("papers", 10).await.unwrap();
    faults.may_go_on.add_permits(1_000);
    assert_eq!(slow.await.unwrap().unwrap_err().kind(), ErrorKind::Unknown);
    assert_eq!(batch.batch_upkeep().outbox("papers", 10).await.unwrap(), waiting);
    let quick = LedgerMirror::new(batch.clone(), ledger.clone());
    let mirrored = quick.mirror_once("papers").await.unwrap();
    assert_eq!((mirrored.documents, mirrored.entries, mirrored.rows), (5, 1, 2));
    assert_eq!(ledger.batch("papers").await.unwrap().unwrap().total, 5);
    assert!(quick.audit("papers").await.unwrap().is_clean());
}

#[tokio::test]
async fn a_repair_by_an_audit_of_a_former_batch_does_nothing() {
    let (batch, clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 5).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    // Bits without rows in the ledger.
    let done = (0..5).map(|ordinal| (ordinal, RestoredFact::Done)).collect();
    batch.batch_upkeep().restore("papers", 0, done).await.unwrap();
    let report = mirror.audit("papers").await.unwrap();
    assert!(!report.is_clean());
    clock.advance(Duration::from_secs(1));
    made_anew(&batch, "papers").await;
    mirror.mirror_once("papers").await.unwrap();
    assert_eq!(mirror.repair(&report).await.unwrap_err().kind(), ErrorKind::Unknown);
    assert!(ledger.task("papers", 0).await.unwrap().is_empty());
    assert!(mirror.audit("papers").await.unwrap().is_clean());
}

#[tokio::test]
async fn the_removal_of_a_former_batch_is_noted_of_that_one() {
    let (batch, clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 5).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    mirror.mirror_once("papers").await.unwrap();
    let former = BatchRegistry::new(batch.clone()).get("papers").await.unwrap().unwrap();
    clock.advance(Duration::from_secs(1));
    made_anew(&batch, "papers").await;
    mirror.mirror_once("papers").await.unwrap();
    // A late sweeper.
    ledger.before_removal(&former).await.unwrap();
    assert!(!ledger.batch("papers").await.unwrap().unwrap().removed);
    // A batch that was kept after all is no longer recorded as removed.
    let known = BatchRegistry::new(batch.clone()).get("papers").await.unwrap().unwrap();
    ledger.before_removal(&known).await.unwrap();
    assert!(ledger.batch("papers").await.unwrap().unwrap().removed);
    ledger.not_removed(&known).await.unwrap();
    assert!(!ledger.batch("papers").await.unwrap().unwrap().removed);
}

#[tokio::test]
async fn a_rebuilt_batch_keeps_its_class_and_its_order() {
    let (batch, clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    let (mirror, registry) =
        (LedgerMirror::new(batch.clone(), ledger), BatchRegistry::new(batch.clone()));
    for (name, class, created) in [("second", TaskClass::Low, 9), ("first", TaskClass::High, 7)] {
        let mut record = BatchRecord::new(name, "papers", Timestamp::from_millis(created));
        record.class = class;
        record.versions.insert("extract".into(), "3".into());
        registry.add(&record).await.unwrap();
        batch.batch().create(name, &plan().max_attempts(5).max_lost(4)).await.unwrap();
        batch.batch().submit(name, vec![Bytes::from_static(b"a"), Bytes::new()]).await.unwrap();
        mirror.mirror_once(name).await.unwrap();
    }
    let before = registry.list().await.unwrap();
    clock.advance(Duration::from_secs(1));
    for record in &before {
        assert!(batch.batch().remove(&record.name).await.unwrap());
        registry.remove(&record.name).await.unwrap();
    }
    let outcomes = mirror.rebuild_all(|_, _| ()).await.unwrap();
    assert!(outcomes.iter().all(|one| matches!(one.1, RebuildOutcome::Rebuilt(_))), "{outcomes:?}");
    assert_eq!(registry.list().await.unwrap(), before);
    let kept = batch.batch().plan("first").await.unwrap();
    assert_eq!((kept.max_attempts, kept.max_lost), (5, 4));
}

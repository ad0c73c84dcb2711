//! Settled outcomes arrive in the ledger, complete and once, despite kills and outages.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use compartment_core::{ClaimRequest, Database, Outcome, Retry, Settlement, Timestamp};
use compartment_pipeline::ledger::{
    Ledger, LedgerAddress, LedgerMirror, LedgerStatus, TaskCount, TaskFilter,
};
use compartment_pipeline::{BatchRecord, BatchRegistry, TaskNote, TaskRow, TaskStatus};
use compartment_testkit::{TestPostgres, TestRedis, eventually, run_test};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::ledger_fixtures::batches::{
    LEASE, in_memory, name_of, on_redis, plan, rows_of, step, submitted, work,
};
use crate::ledger_fixtures::dying::Dying;
use crate::ledger_fixtures::in_a_file;

fn count(counts: &[TaskCount], task_type: &str, status: LedgerStatus) -> u64 {
    let found = counts.iter().find(|one| one.task_type == task_type && one.status == status);
    found.map_or(0, |one| one.tasks)
}

/// Checks that the ledger has a row for every fact, and every document.
async fn all_has_arrived(ledger: &Ledger, batch: &str, documents: u32) {
    let counts = ledger.counts(batch).await.unwrap();
    let (first, second) = rows_of(documents);
    let dead = first - second;
    assert_eq!(count(&counts, "extract", LedgerStatus::Done), first - dead, "{counts:?}");
    assert_eq!(count(&counts, "extract", LedgerStatus::Dead), dead, "{counts:?}");
    assert_eq!(count(&counts, "chunk", LedgerStatus::Done), second, "{counts:?}");
    assert_eq!(count(&counts, "extract", LedgerStatus::Failed), 0, "{counts:?}");
    let row = ledger.batch(batch).await.unwrap().unwrap();
    assert_eq!((row.documents, row.total), (u64::from(documents), u64::from(documents)));
}

async fn everything_arrives(batch: Database, ledger: &Ledger) {
    submitted(&batch, "papers", 2_500).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    // Documents are mirrored before any work on them.
    let mirrored = mirror.mirror_once("papers").await.unwrap();
    assert_eq!((mirrored.documents, mirrored.rows), (2_500, 0));
    work(&batch, "papers", 100).await;
    assert!(mirror.waiting().await.unwrap() > 0);
    let mirrored = mirror.page(7).mirror_once("papers").await.unwrap();
    assert_eq!(mirrored.unreadable, 0);
    assert!(mirrored.entries >= 50 && mirrored.rows >= 4_998, "{mirrored:?}");
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    assert_eq!(mirror.waiting().await.unwrap(), 0);
    assert!(mirror.mirror_once("papers").await.unwrap().is_nothing());
    all_has_arrived(ledger, "papers", 2_500).await;
    let rows = ledger.task("papers", 11).await.unwrap();
    let stages: Vec<&str> = rows.iter().map(|row| row.task_type.as_str()).collect();
    assert_eq!(stages, ["chunk", "extract"]);
    let row = &rows[1];
    assert_eq!(row.document.as_deref(), Some("case-11.pdf"));
    assert_eq!((row.status, row.retry_count, row.error.as_deref()), (LedgerStatus::Done, 1, None));
    assert_eq!((row.worker.as_str(), row.took_ms()), ("worker-1", Some(21)));
    assert_eq!(row.started_ms, Some(1_790_000_001_005));
    let slowest = ledger.slowest("papers", 2).await.unwrap();
    assert_eq!((slowest[0].ordinal, slowest[0].took_ms()), (89, Some(99)));
}

#[tokio::test]
async fn everything_arrives_from_memory() {
    let (ledger, _folder) = in_a_file();
    everything_arrives(in_memory().await.0, &ledger).await;
}

#[test]
#[ignore = "needs redis-server"]
fn everything_arrives_from_a_server() {
    run_test(async {
        let redis = TestRedis::start().await;
        let (ledger, _folder) = in_a_file();
        everything_arrives(on_redis(&redis.url()).await, &ledger).await;
    });
}

#[tokio::test]
async fn everything_arrives_at_postgresql() {
    let Some(server) = TestPostgres::start().await else { return };
    everything_arrives(in_memory().await.0, &Ledger::at(&server.url()).unwrap()).await;
}

#[tokio::test]
async fn what_was_written_and_not_cleared_is_written_again_without_harm() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 30).await;
    let (dying, faults) = Dying::around(&batch);
    let mirror = LedgerMirror::new(dying, ledger.clone());
    faults.before_clearing.store(true, Ordering::SeqCst);
    // Dead, retried, dead again: the order matters.
    step(&batch, "papers", 0, 30).await.unwrap();
    assert_eq!(batch.batch().retry("papers", vec![(0, 7)]).await.unwrap(), 1);
    for _ in 0..3 {
        mirror.mirror_once("papers").await.unwrap_err();
        let row = ledger.task("papers", 7).await.unwrap().remove(0);
        assert_eq!(row.status, LedgerStatus::Retried);
    }
    work(&batch, "papers", 30).await;
    for _ in 0..3 {
        mirror.mirror_once("papers").await.unwrap_err();
        all_has_arrived(&ledger, "papers", 30).await;
    }
    faults.before_clearing.store(false, Ordering::SeqCst);
    mirror.mirror_once("papers").await.unwrap();
    assert_eq!(mirror.waiting().await.unwrap(), 0);
    all_has_arrived(&ledger, "papers", 30).await;
}

#[tokio::test]
async fn a_mirror_that_dawdles_undoes_nothing_that_came_after() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 30).await;
    step(&batch, "papers", 0, 30).await.unwrap();
    let (dawdling, faults) = Dying::around(&batch);
    faults.may_go_on.forget_permits(1_000_000);
    let mirror = LedgerMirror::new(dawdling, ledger.clone());
    let slow = tokio::spawn(async move { mirror.mirror_once("papers").await });
    // When it waits here, it has read that document 7 is dead.
    tokio::task::yield_now().await;
    while ledger.batch("papers").await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let quick = LedgerMirror::new(batch.clone(), ledger.clone());
    quick.mirror_once("papers").await.unwrap();
    batch.batch().retry("papers", vec![(0, 7)]).await.unwrap();
    quick.mirror_once("papers").await.unwrap();
    faults.may_go_on.add_permits(1_000);
    slow.await.unwrap().unwrap();
    let row = ledger.task("papers", 7).await.unwrap().remove(0);
    assert_eq!(row.status, LedgerStatus::Retried);
}

#[test]
#[ignore = "needs redis-server"]
fn mirrors_at_once_beside_workers_lose_and_double_nothing() {
    run_test(async {
        let redis = TestRedis::start().await;
        let batch = on_redis(&redis.url()).await;
        let (ledger, _folder) = in_a_file();
        submitted(&batch, "papers", 3_000).await;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mirrors: Vec<_> = (0..3)
            .map(|page| {
                let mirror = LedgerMirror::new(batch.clone(), ledger.clone()).page(3 + page);
                let mut stopped = stopped.clone();
                tokio::spawn(async move {
                    mirror.run(async move { drop(stopped.wait_for(|stop| *stop).await) }).await;
                })
            })
            .collect();
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let batch = batch.clone();
                tokio::spawn(async move { work(&batch, "papers", 20).await })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
        work(&batch, "papers", 20).await;
        stop.send(true).unwrap();
        for mirror in mirrors {
            mirror.await.unwrap();
        }
        let mirror = LedgerMirror::new(batch, ledger.clone());
        mirror.mirror_once("papers").await.unwrap();
        assert_eq!(mirror.waiting().await.unwrap(), 0);
        all_has_arrived(&ledger, "papers", 3_000).await;
    });
}

#[tokio::test]
async fn a_note_that_cannot_be_read_is_put_aside_and_the_rest_goes_on() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 30).await;
    for note in [Bytes::new(), Bytes::from_static(b"no note")] {
        let request = ClaimRequest::new(0, 2, LEASE);
        let claim = batch.batch().claim("papers", request).await.unwrap().unwrap();
        let outcomes = claim.documents.iter().map(|one| (one.ordinal, Outcome::Done)).collect();
        let settlement = Settlement::new(0, claim.token, outcomes).note(note);
        batch.batch().settle("papers", settlement).await.unwrap();
    }
    work(&batch, "papers", 10).await;
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    let mirrored = mirror.mirror_once("papers").await.unwrap();
    assert_eq!(mirrored.unreadable, 2);
    assert_eq!(mirror.waiting().await.unwrap(), 0);
    assert_eq!(ledger.batch("papers").await.unwrap().unwrap().unreadable, 2);
    // Both stages of documents with readable notes, and the second stage of the four others.
    let counts = ledger.counts("papers").await.unwrap();
    assert_eq!(count(&counts, "extract", LedgerStatus::Done), 25);
    assert_eq!(count(&counts, "chunk", LedgerStatus::Done), 29);
}

#[tokio::test]
async fn what_dies_with_its_workers_has_its_row() {
    let (batch, clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 3).await;
    for _ in 0..4 {
        // All at first, then each alone.
        for _ in 0..3 {
            drop(batch.batch().claim("papers", ClaimRequest::new(0, 3, LEASE)).await.unwrap());
        }
        clock.advance(LEASE * 2);
    }
    LedgerMirror::new(batch, ledger.clone()).mirror_once("papers").await.unwrap();
    let rows = ledger.tasks(&TaskFilter::of_batch("papers")).await.unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.status == LedgerStatus::Dead && row.retry_count == 2));
    assert!(rows[0].error.as_ref().unwrap().contains("lease"), "{rows:?}");
}

#[tokio::test]
async fn a_late_success_has_its_row_and_a_late_failure_has_none() {
    let (batch, clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 2).await;
    let store = batch.batch();
    let late = store.claim("papers", ClaimRequest::new(0, 2, LEASE)).await.unwrap().unwrap();
    clock.advance(LEASE * 2);
    let mut owners = Vec::new();
    for _ in 0..2 {
        let claim = store.claim("papers", ClaimRequest::new(0, 2, LEASE)).await.unwrap();
        owners.push(claim.unwrap().token);
    }
    let row = |ordinal, status, error: &str| TaskRow {
        ordinal,
        status,
        attempt: 1,
        started: 0,
        took: 1,
        error: error.into(),
    };
    let note = |worker: &str, rows| {
        let since = Timestamp::from_millis(1_000);
        TaskNote { worker: worker.into(), since, rows }.to_bytes().unwrap()
    };
    let retry = |error: &str| Outcome::Retry { error: error.into(), after: Duration::ZERO };
    for (ordinal, owner) in [0, 1].into_iter().zip(&owners) {
        let rows = vec![row(ordinal, TaskStatus::Failed, "mine")];
        let told = Settlement::new(0, *owner, vec![(ordinal, retry("mine"))]);
        store.settle("papers", told.note(note("owner", rows))).await.unwrap();
    }
    let rows = vec![row(0, TaskStatus::Done, ""), row(1, TaskStatus::Failed, "late")];
    let outcomes = vec![(0, Outcome::Done), (1, retry("late"))];
    let told = Settlement::new(0, late.token, outcomes).note(note("late", rows));
    store.settle("papers", told).await.unwrap();
    LedgerMirror::new(batch, ledger.clone()).mirror_once("papers").await.unwrap();
    let rows = ledger.tasks(&TaskFilter::of_batch("papers")).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.status, row.worker.as_str())).collect();
    assert_eq!(told, [(LedgerStatus::Done, "late"), (LedgerStatus::Failed, "owner")]);
    assert_eq!(rows[0].claim_token, owners[0].number());
}

#[tokio::test]
async fn a_batch_made_anew_under_an_old_name_has_rows_of_its_own() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
    submitted(&batch, "papers", 5).await;
    work(&batch, "papers", 5).await;
    mirror.mirror_once("papers").await.unwrap();
    let registry = BatchRegistry::new(batch.clone());
    registry.remove("papers").await.unwrap();
    batch.batch().remove("papers").await.unwrap();
    batch.batch().create("papers", &plan()).await.unwrap();
    let later = Timestamp::from_millis(1_790_000_009_000);
    registry.add(&BatchRecord::new("papers", "papers", later)).await.unwrap();
    batch.batch().submit("papers", vec![Bytes::from(name_of(0))]).await.unwrap();
    mirror.mirror_once("papers").await.unwrap();
    assert!(ledger.tasks(&TaskFilter::of_batch("papers")).await.unwrap().is_empty());
    assert_eq!(ledger.batch("papers").await.unwrap().unwrap().documents, 1);
    assert_eq!(ledger.tasks(&TaskFilter::default()).await.unwrap().len(), 10);
}

/// Work continues while the ledger does not answer; waiting rows arrive afterwards.
async fn rows_arrive_later(
    ledger: Ledger,
    goes_away: impl AsyncFnOnce(),
    comes_back: impl AsyncFnOnce(),
) {
    let (batch, _clock) = in_memory().await;
    submitted(&batch, "papers", 2_000).await;
    step(&batch, "papers", 0, 100).await.unwrap();
    let mirror = LedgerMirror::new(batch.clone(), ledger.answering_within(Duration::from_secs(1)));
    mirror.mirror_once("papers").await.unwrap();
    goes_away().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = mirror.clone();
    let running = tokio::spawn(async move { running.run(async { drop(stopped.await) }).await });
    work(&batch, "papers", 100).await;
    let progress = batch.batch().progress("papers").await.unwrap().unwrap();
    assert!(progress.is_settled());
    let error = mirror.mirror_once("papers").await.unwrap_err();
    assert_ne!(error.retry(), Retry::Never, "{error}");
    assert!(mirror.waiting().await.unwrap() >= 39);
    comes_back().await;
    eventually("all has arrived", async || mirror.waiting().await.unwrap() == 0).await;
    stop.send(()).unwrap();
    running.await.unwrap();
    assert!(mirror.status().failures > 0);
    all_has_arrived(&ledger, "papers", 2_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_arrive_once_a_locked_file_is_free() {
    let (ledger, _folder) = in_a_file();
    ledger.open().await.unwrap();
    let LedgerAddress::Sqlite(path) = ledger.address().clone() else { panic!("it is a file") };
    let other = SqliteConnectOptions::new().filename(path);
    let mut other = SqliteConnection::connect_with(&other).await.unwrap();
    let other = std::sync::Arc::new(tokio::sync::Mutex::new(&mut other));
    let (locking, freeing) = (other.clone(), other.clone());
    rows_arrive_later(
        ledger,
        async move || {
            sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut **locking.lock().await).await.unwrap();
        },
        async move || {
            sqlx::raw_sql("COMMIT").execute(&mut **freeing.lock().await).await.unwrap();
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_arrive_once_a_stopped_server_goes_on() {
    let Some(server) = TestPostgres::start().await else { return };
    let ledger = Ledger::at(&server.url()).unwrap();
    rows_arrive_later(ledger, async || server.freeze(), async || server.thaw()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_arrive_once_a_killed_server_is_back() {
    let Some(server) = TestPostgres::start().await else { return };
    let ledger = Ledger::at(&server.url()).unwrap();
    let server = tokio::sync::Mutex::new(server);
    rows_arrive_later(
        ledger,
        async || server.lock().await.kill(),
        async || server.lock().await.restart().await,
    )
    .await;
}

#[tokio::test]
async fn one_that_ends_brings_what_waits_though_another_has_the_lock() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 20).await;
    work(&batch, "papers", 10).await;
    // The lock of a killed mirror.
    drop(batch.lock().try_acquire("compartment:ledger:mirror", "somebody", LEASE).await.unwrap());
    let mirror = LedgerMirror::new(batch.clone(), ledger.clone()).one_of_a_fleet(batch.clone());
    mirror.run(std::future::ready(())).await;
    all_has_arrived(&ledger, "papers", 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_fleet_one_mirrors_and_another_takes_over() {
    let (batch, _clock) = in_memory().await;
    let (ledger, _folder) = in_a_file();
    submitted(&batch, "papers", 50).await;
    work(&batch, "papers", 10).await;
    let mirrors: Vec<_> = (0..2)
        .map(|_| {
            let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
            let mirror = mirror.one_of_a_fleet(batch.clone());
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let running = mirror.clone();
            let running =
                tokio::spawn(async move { running.run(async { drop(stopped.await) }).await });
            (mirror, stop, running)
        })
        .collect();
    eventually("all has arrived", async || mirrors[0].0.waiting().await.unwrap() == 0).await;
    all_has_arrived(&ledger, "papers", 50).await;
    let who = |(mirror, ..): &(LedgerMirror, _, _)| mirror.status().mirrored.rows > 0;
    eventually("it is known who", async || mirrors.iter().any(who)).await;
    let (mut did, mut did_not): (Vec<_>, Vec<_>) = mirrors.into_iter().partition(who);
    assert_eq!((did.len(), did_not.len()), (1, 1));
    let (_, stop, running) = did.remove(0);
    stop.send(()).unwrap();
    running.await.unwrap();
    submitted(&batch, "more", 5).await;
    let (mirror, stop, running) = did_not.remove(0);
    eventually("another took over", async || mirror.status().mirrored.documents == 5).await;
    stop.send(()).unwrap();
    running.await.unwrap();
}

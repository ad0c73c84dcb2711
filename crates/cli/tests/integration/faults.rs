//! Workers and servers that die, hang and lose their connections: every document of a batch still ends once.

use std::time::{Duration, Instant};

use compartment::pipeline::ledger::{Ledger, LedgerStatus};
use compartment_testkit::{FaultProxy, TestPostgres, TestRedis, eventually, run_test};

use crate::fleet::{Fleet, LEASE, WorkerProcess, random};

/// Time limit of a batch, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// The number of finished stages, over all documents.
async fn finished(batch: &compartment::Database) -> u64 {
    let progress = batch.batch().progress("b").await.ok().flatten();
    progress.map_or(0, |progress| {
        progress.stages.iter().map(|stage| stage.done + stage.dead).sum::<u64>()
    })
}

#[test]
#[ignore = "needs redis-server"]
fn a_worker_is_killed_a_hundred_times() {
    run_test(async {
        let fleet = Fleet::new(TestRedis::start().await, 1_500);
        fleet.submit();
        let databases = fleet.databases().await;
        let batch = databases.get("batch").unwrap();
        let mut workers: Vec<WorkerProcess> = (0..2).map(|_| fleet.worker(&[])).collect();
        for kill in 0..100 {
            tokio::time::sleep(Duration::from_millis(random(250))).await;
            let victim = kill % workers.len();
            workers[victim].kill();
            workers[victim] = fleet.worker(&[]);
        }
        fleet.completed(batch, PATIENCE).await;
        fleet.assert_exact(batch).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_server_is_killed_twenty_times() {
    run_test(async {
        let server = TestRedis::builder().config("appendonly", "yes").start().await;
        let mut fleet = Fleet::new(server, 1_000);
        fleet.submit();
        let _workers: Vec<WorkerProcess> = (0..2).map(|_| fleet.worker(&[])).collect();
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(random(400))).await;
            fleet.server.kill();
            tokio::time::sleep(Duration::from_millis(random(200))).await;
            fleet.server.restart().await;
        }
        let databases = fleet.databases().await;
        let batch = databases.get("batch").unwrap();
        fleet.completed(batch, PATIENCE).await;
        fleet.assert_exact(batch).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_worker_sleeps_past_its_lease_and_wakes() {
    run_test(async {
        let fleet = Fleet::new(TestRedis::start().await, 600);
        fleet.submit();
        let databases = fleet.databases().await;
        let batch = databases.get("batch").unwrap();
        let sleeper = fleet.worker(&[]);
        eventually("it has begun", || async { finished(batch).await > 20 }).await;
        for _ in 0..3 {
            sleeper.signal("STOP");
            let before = finished(batch).await;
            // Another worker does the sleeper's documents, which the sleeper reports again when it wakes.
            let other = fleet.worker(&[]);
            tokio::time::sleep(LEASE * 3 / 2).await;
            // What the sleeper was computing is waited for until its lease in the cache ends, too.
            eventually("somebody takes over", || async {
                let progress = batch.batch().progress("b").await.unwrap().unwrap();
                let is_left = progress.stages.iter().any(|stage| stage.claimed + stage.ready > 0);
                !is_left || finished(batch).await > before
            })
            .await;
            sleeper.signal("CONT");
            tokio::time::sleep(LEASE / 4).await;
            drop(other);
        }
        fleet.completed(batch, PATIENCE).await;
        fleet.assert_exact(batch).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_network_is_cut_again_and_again() {
    run_test(async {
        let mut fleet = Fleet::new(TestRedis::start().await, 600);
        fleet.submit();
        let proxy = FaultProxy::start(fleet.server.port()).await;
        fleet.url = proxy.url();
        let databases = fleet.databases().await;
        let batch = databases.get("batch").unwrap();
        let _workers: Vec<WorkerProcess> = (0..2).map(|_| fleet.worker(&[])).collect();
        eventually("they have begun", || async { finished(batch).await > 20 }).await;
        for round in 0..25 {
            tokio::time::sleep(Duration::from_millis(random(150))).await;
            if round % 8 == 7 {
                // Longer than a lease.
                proxy.refuse().await;
                tokio::time::sleep(LEASE * 3 / 2).await;
                proxy.heal().await;
            } else {
                proxy.cut();
            }
        }
        fleet.completed(batch, PATIENCE).await;
        fleet.assert_exact(batch).await;
    });
}

/// Measures the time from the kill of a worker until another has finished its documents. The other work takes less
/// than a lease.
#[test]
#[ignore = "needs redis-server"]
fn what_a_killed_worker_had_is_done_within_two_leases() {
    const LEASE: Duration = Duration::from_secs(3);
    run_test(async {
        let fleet = Fleet::new(TestRedis::start().await, 60);
        fleet.submit();
        let databases = fleet.databases().await;
        let batch = databases.get("batch").unwrap();
        let mut doomed = fleet.worker(&["--lease", "3s"]);
        let claimed = || async {
            let progress = batch.batch().progress("b").await.unwrap().unwrap();
            progress.stages.iter().map(|stage| stage.claimed).sum::<u64>()
        };
        eventually("it has documents", || async {
            finished(batch).await > 20 && claimed().await > 0
        })
        .await;
        // Stopped, so that it settles nothing between the count and the kill.
        doomed.signal("STOP");
        let had = claimed().await;
        doomed.kill();
        let killed = Instant::now();
        let _heir = fleet.worker(&["--lease", "3s"]);
        fleet.completed(batch, PATIENCE).await;
        let took = killed.elapsed();
        eprintln!(
            "{had} documents of a killed worker were done {took:?} after; the lease is {LEASE:?}"
        );
        assert!(took < LEASE * 2, "{took:?}");
        fleet.assert_exact(batch).await;
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_worker_that_is_told_to_end_leaves_nothing_to_a_lease() {
    run_test(async {
        let fleet = Fleet::new(TestRedis::start().await, 300);
        fleet.submit();
        let databases = fleet.databases().await;
        let batch = databases.get("batch").unwrap();
        let mut worker = fleet.worker(&[]);
        eventually("it has begun", || async { finished(batch).await > 20 }).await;
        worker.signal("TERM");
        eventually("it ends", || {
            let ended = worker.ended();
            assert!(ended.is_none_or(|code| code == 130), "{ended:?}");
            async move { ended.is_some() }
        })
        .await;
        let progress = batch.batch().progress("b").await.unwrap().unwrap();
        let claimed: u64 = progress.stages.iter().map(|stage| stage.claimed).sum();
        assert_eq!(claimed, 0, "{progress:?}");
        let listed = fleet.run(&["workers", "list"]);
        assert!(listed.out.contains("there are no workers"), "{}", listed.out);
        let _next = fleet.worker(&[]);
        fleet.completed(batch, PATIENCE).await;
        fleet.assert_exact(batch).await;
    });
}

/// Work continues in the meantime, and afterwards no row is missing.
#[test]
#[ignore = "needs redis-server"]
fn the_ledger_is_stopped_for_a_minute() {
    run_test(async {
        let Some(postgres) = TestPostgres::start().await else { return };
        let url = postgres.url();
        let fleet = Fleet::new(TestRedis::start().await, 300);
        fleet.submit();
        let databases = fleet.databases().await;
        let batch = databases.get("batch").unwrap();
        let _workers: Vec<WorkerProcess> =
            (0..2).map(|_| fleet.worker(&["--ledger", &url])).collect();
        eventually("they have begun", || async { finished(batch).await > 20 }).await;
        postgres.freeze();
        let stopped = Instant::now();
        let progress = fleet.completed(batch, Duration::from_secs(45)).await;
        let waiting = batch.batch_upkeep().outbox_len("b").await.unwrap();
        assert!(waiting > 0, "what the ledger was not told waits");
        tokio::time::sleep(Duration::from_secs(60).saturating_sub(stopped.elapsed())).await;
        postgres.thaw();
        let thawed = Instant::now();
        while batch.batch_upkeep().outbox_len("b").await.unwrap() > 0 {
            assert!(thawed.elapsed() < Duration::from_secs(45), "rows still wait");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let counts = Ledger::at(&url).unwrap().counts("b").await.unwrap();
        for (at, stage) in ["extract", "chunk", "entities", "resolve", "relate"].iter().enumerate()
        {
            let of = |status: LedgerStatus| -> u64 {
                let rows = counts.iter().filter(|one| one.task_type == *stage);
                rows.filter(|one| one.status == status).map(|one| one.tasks).sum()
            };
            assert_eq!(of(LedgerStatus::Done), progress.stages[at].done, "{stage}: {counts:?}");
            assert_eq!(of(LedgerStatus::Dead), progress.stages[at].dead, "{stage}: {counts:?}");
        }
    });
}

//! Workers on a cluster: each document of a batch ends once, whatever happens to the masters and their slots.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment_testkit::{ServerProgram, TestCluster, eventually, run_test};

use crate::fleet::{Fleet, WorkerProcess};

/// Papers that are read; a batch of ten thousand is in the suite of the pipeline.
const DOCUMENTS: usize = 1_000;
/// Time limit of a batch, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(100);
const MASTERS: usize = 3;

/// Workers process a batch while its slot moves to another master, and that master is killed and started again.
async fn a_batch_survives(program: &ServerProgram, settings: &[&str]) {
    let cluster = TestCluster::start_on(program, settings).await;
    let mut fleet = Fleet::new(cluster, DOCUMENTS);
    fleet.submit();
    let databases = fleet.databases().await;
    let batch = databases.get("batch").unwrap();
    let _workers: Vec<WorkerProcess> = (0..2).map(|_| fleet.worker(&[])).collect();
    let ended = async || {
        let progress = batch.batch().progress("b").await.ok().flatten();
        progress.map_or(0, |progress| progress.stages[0].done)
    };
    eventually("work is under way", async || ended().await > DOCUMENTS as u64 / 10).await;
    let (home, slot) = fleet.server.home_of("{batch:b}").await;
    let next = (home + 1) % MASTERS;
    fleet.server.move_slots(home, next, slot..=slot).await;
    let before = ended().await;
    eventually("work goes on at the new place", async || ended().await > before + 50).await;
    fleet.server.kill(next);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    fleet.server.restart(next).await;
    fleet.completed(batch, PATIENCE).await;
    fleet.assert_exact(batch).await;
}

#[test]
#[ignore = "needs redis-server"]
fn a_batch_on_a_cluster_is_exact_while_its_slot_moves_and_its_master_is_killed() {
    run_test(async {
        a_batch_survives(&ServerProgram::usual(), &["appendonly yes"]).await;
    });
}

#[test]
#[ignore = "needs redis-server and the servers of cargo xtask servers"]
fn a_batch_on_a_cluster_of_valkey_9_with_numbered_databases_is_exact() {
    run_test(async {
        let valkey = ServerProgram::named("valkey-9.1");
        a_batch_survives(&valkey, &["appendonly yes", "cluster-databases 16"]).await;
    });
}

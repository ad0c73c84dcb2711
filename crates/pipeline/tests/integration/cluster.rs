//! A batch of ten thousand documents on a cluster, while its slot moves and its master is killed.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use compartment_core::backend::Backend;
use compartment_core::{BatchStatus, DatabaseMap, Databases, Preset};
use compartment_pipeline::{Patience, Pipeline, StageError, StageOptions, Worker};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::{ServerProgram, TestCluster, eventually, run_test};

use crate::stages::{engine, failures, made, options, progress, submit};

const DOCUMENTS: usize = 10_000;
const WORKERS: usize = 4;
const MASTERS: usize = 3;
/// In every thousand documents, the one at this position fails for good.
const BROKEN: usize = 137;

async fn databases(url: &str) -> Databases {
    let map = DatabaseMap::preset(Preset::Pipeline, url).unwrap();
    let config = RedisConfig::for_instance(&map.instances()["primary"], 8);
    let indexes: Vec<u32> = map.databases().iter().map(|one| one.placement.index()).collect();
    let backend: Arc<dyn Backend> =
        Arc::new(RedisBackend::connect(config, &indexes).await.unwrap());
    Databases::open(map, &BTreeMap::from([("primary".to_owned(), backend)])).await.unwrap()
}

fn pipeline() -> (Pipeline, Arc<AtomicU32>) {
    let (stage, calls) = made("split", |text: &String| {
        if text.parse::<usize>().is_ok_and(|number| number % 1_000 == BROKEN) {
            return Err(StageError::new("broken", "it is broken"));
        }
        Ok(text.len() as u64)
    });
    let mut builder = Pipeline::builder("words");
    builder
        .stage(stage, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    (builder.build().unwrap(), calls)
}

async fn is_exact(program: &ServerProgram, settings: &[&str]) {
    let mut cluster = TestCluster::start_on(program, settings).await;
    let databases = databases(&cluster.url()).await;
    let (pipeline, calls) = pipeline();
    let store = databases.get("batch").unwrap();
    let entries: Vec<String> = (0..DOCUMENTS).map(|number| number.to_string()).collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    submit(store, &pipeline, "b", &entries).await;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let mut options = options();
        (options.until_finished, options.lease) = (true, Duration::from_secs(2));
        options.batches = Some(vec!["b".to_owned()]);
        let engines = vec![engine(&databases, &pipeline).await];
        // Longer than the master is away.
        let patience = Patience::waiting(Duration::from_secs(60));
        let worker = Worker::new(store, engines, options, patience);
        workers.spawn(async move { worker.run(std::future::pending()).await });
    }
    let called = || calls.load(Ordering::Relaxed) as usize;
    eventually("work is under way", async || called() > DOCUMENTS / 20).await;
    let (home, slot) = cluster.home_of("{batch:b}").await;
    let next = (home + 1) % MASTERS;
    cluster.move_slots(home, next, slot..=slot).await;
    let before = called();
    assert!(before < DOCUMENTS, "the slot moved too late");
    eventually("work goes on at the new place", async || called() > before + 500).await;
    cluster.kill(next);
    assert!(called() < DOCUMENTS, "the master was killed too late");
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    cluster.restart(next).await;
    while let Some(done) = workers.join_next().await {
        done.unwrap().unwrap();
    }
    let progress = progress(&databases, "b").await;
    let dead = (DOCUMENTS / 1_000) as u64;
    assert_eq!(progress.status, BatchStatus::Completed);
    assert_eq!((progress.done, progress.dead), (DOCUMENTS as u64 - dead, dead), "{progress:?}");
    assert!(called() >= DOCUMENTS);
    let broken: Vec<u32> = failures(&databases, "b").await.iter().map(|one| one.1).collect();
    let expected = (0..DOCUMENTS as u32).filter(|number| *number as usize % 1_000 == BROKEN);
    assert_eq!(broken, expected.collect::<Vec<u32>>());
    let audit = store.batch_upkeep().audit("b").await.unwrap();
    assert!(audit.is_clean(), "{:?} {:?}", audit.drift, audit.stranded);
}

#[test]
#[ignore = "needs redis-server"]
fn ten_thousand_documents_are_exact_while_their_slot_moves_and_their_master_is_killed() {
    run_test(async { is_exact(&ServerProgram::usual(), &["appendonly yes"]).await });
}

mod versions {
    use super::*;

    #[test]
    #[ignore = "needs redis-server and the servers of cargo xtask servers"]
    fn ten_thousand_documents_are_exact_in_numbered_databases_of_a_valkey_9_cluster() {
        run_test(async {
            let valkey = ServerProgram::named("valkey-9.1");
            is_exact(&valkey, &["appendonly yes", "cluster-databases 16"]).await;
        });
    }
}

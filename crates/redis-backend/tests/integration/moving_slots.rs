//! A cluster moves a slot key by key: a script of several keys runs on all of them or on none.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::Backend;
use compartment_core::{
    AfterFailure, BatchPlan, ClaimOptions, ClaimRequest, Contract, Database, DatabaseKind,
    ErrorKind, NewTask, Outcome, Settlement,
};
use compartment_redis::RedisBackend;
use compartment_testkit::{ServerProgram, SlotMove, TestCluster, run_test};

use crate::harness::config;

const LEASE: Duration = Duration::from_secs(300);
/// Documents and tasks, of which some are claimed at each step.
const MANY: u64 = 300;
const TO_CLAIM: usize = 5;

/// Begins to move the slot of a key to the next master.
async fn begin<'a>(cluster: &'a TestCluster, key: &str) -> SlotMove<'a> {
    let (from, slot) = cluster.home_of(key).await;
    cluster.begin_move(from, (from + 1) % 3, slot).await
}

async fn cluster_and_database() -> (TestCluster, Database) {
    let cluster = TestCluster::start_on(&ServerProgram::usual(), &[]).await;
    let mut config = config(&cluster.url());
    config.retries = 1;
    let backend = RedisBackend::connect(config, &[0]).await.unwrap();
    let database = backend.open(Contract::new("batch", DatabaseKind::Durable)).await.unwrap();
    (cluster, database)
}

/// The answer, or none if the request was refused because its slot is between two nodes.
fn unless_moving<T>(answer: compartment_core::Result<T>) -> Option<T> {
    match answer {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotReady, "{error}");
            None
        }
        Ok(answer) => Some(answer),
    }
}

/// Claims some documents of both stages and settles them: the first one fails and is tried again.
async fn work_on_batch(database: &Database) -> u64 {
    let (store, mut done) = (database.batch(), 0);
    for stage in 0..2 {
        let claimed = store.claim("b", ClaimRequest::new(stage, TO_CLAIM, LEASE)).await;
        let Some(Some(claim)) = unless_moving(claimed) else { continue };
        let outcome = |(at, ordinal)| match at {
            0 if stage == 0 && done == 0 => {
                (ordinal, Outcome::Retry { error: "once".to_owned(), after: Duration::ZERO })
            }
            _ => (ordinal, Outcome::Done),
        };
        let ordinals = claim.documents.iter().map(|document| document.ordinal);
        let outcomes: Vec<_> = ordinals.enumerate().map(outcome).collect();
        let settlement = Settlement::new(stage, claim.token, outcomes);
        if let Some(settled) = unless_moving(store.settle("b", settlement).await) {
            done += settled.counted;
        }
    }
    done
}

#[test]
#[ignore = "needs redis-server"]
fn no_document_is_lost_whichever_keys_of_a_batch_have_moved() {
    run_test(async {
        let (cluster, database) = cluster_and_database().await;
        let store = database.batch();
        assert!(store.create("b", &BatchPlan::chain(&["extract", "chunk"])).await.unwrap());
        store.submit("b", vec![Bytes::from_static(b"x"); MANY as usize]).await.unwrap();
        store.seal("b").await.unwrap();
        assert!(work_on_batch(&database).await > 0);
        let moving = begin(&cluster, "batch:{batch:b}").await;
        work_on_batch(&database).await;
        let mut keys = 0;
        while moving.keys(1).await {
            keys += 1;
            work_on_batch(&database).await;
        }
        assert!(keys > 5, "{keys} keys");
        moving.end().await;
        let held = store.progress("b").await.unwrap().unwrap();
        let counted = |stage: usize| {
            let stage = &held.stages[stage];
            stage.done + stage.dead + stage.claimed + stage.ready + stage.delayed
        };
        assert_eq!((counted(0), counted(1)), (MANY, held.stages[0].done), "{held:?}");
        let audit = database.batch_upkeep().audit("b").await.unwrap();
        assert!(audit.is_clean(), "{:?} {:?}", audit.drift, audit.stranded);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn no_task_is_lost_whichever_keys_of_a_queue_have_moved() {
    run_test(async {
        let (cluster, database) = cluster_and_database().await;
        let queue = database.queue();
        let tasks = (0..MANY).map(|n| NewTask::new(n.to_string())).collect();
        queue.submit("q", tasks).await.unwrap();
        let work = async || {
            let claimed = queue.claim("q", ClaimOptions::new(5, LEASE)).await;
            let Some(claimed) = unless_moving(claimed) else { return 0 };
            let mut claims = claimed.iter().map(|task| task.claim);
            let first = claims.next().unwrap();
            unless_moving(
                queue.fail("q", first, "once", AfterFailure::Retry(Duration::ZERO)).await,
            );
            let rest: Vec<_> = claims.collect();
            let done = unless_moving(queue.complete("q", &rest).await);
            done.map_or(0, |done| done.iter().filter(|done| **done).count() as u64)
        };
        let mut done = work().await;
        assert!(done > 0);
        let moving = begin(&cluster, "batch:{queue:q}:").await;
        done += work().await;
        while moving.keys(1).await {
            done += work().await;
        }
        moving.end().await;
        done += work().await;
        let counts = queue.counts("q").await.unwrap();
        let left = counts.waiting + counts.delayed + counts.claimed + counts.dead;
        assert_eq!(left, MANY - done, "{counts:?}");
    });
}

//! Concurrent operations of two programs on one batch, with separate connections to a real server.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use compartment::batch::{BatchClaim, BatchPlan, BatchStatus, ClaimRequest, Outcome, Settlement};
use compartment::{Database, DatabaseMap, Preset};
use compartment_testkit::{TestRedis, run_test};

const LEASE: Duration = Duration::from_secs(60);
const ROUNDS: u32 = 150;

async fn open(server: &TestRedis) -> Database {
    let map = DatabaseMap::preset(Preset::Pipeline, &server.url()).unwrap();
    compartment::open(map).await.unwrap().get("batch").unwrap().clone()
}

fn done(claim: &BatchClaim) -> Settlement {
    let outcomes = claim.documents.iter().map(|document| (document.ordinal, Outcome::Done));
    Settlement::new(0, claim.token, outcomes.collect())
}

async fn make(batch: &Database, name: &str, documents: usize) {
    let plan = BatchPlan::chain(&["one"]).outbox(true).event_bytes(100_000);
    assert!(batch.batch().create(name, &plan).await.unwrap());
    let entries = (0..documents).map(|number| number.to_string().into()).collect();
    batch.batch().submit(name, entries).await.unwrap();
}

async fn claim(batch: &Database, name: &str, max: usize) -> BatchClaim {
    batch.batch().claim(name, ClaimRequest::new(0, max, LEASE)).await.unwrap().unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn two_workers_finish_the_last_two_at_once() {
    run_test(async {
        let server = TestRedis::start().await;
        let (a, b) = (open(&server).await, open(&server).await);
        for round in 0..ROUNDS {
            let name = format!("b{round}");
            make(&a, &name, 2).await;
            a.batch().seal(&name).await.unwrap();
            let (first, second) = (claim(&a, &name, 1).await, claim(&b, &name, 1).await);
            let (x, y) = tokio::join!(
                a.batch().settle(&name, done(&first)),
                b.batch().settle(&name, done(&second)),
            );
            assert_ne!(
                x.unwrap().is_completed,
                y.unwrap().is_completed,
                "one of them completes it"
            );
            let (x, y) = tokio::join!(
                a.batch().claim_completion(&name, LEASE),
                b.batch().claim_completion(&name, LEASE),
            );
            assert_ne!(
                x.unwrap().is_some(),
                y.unwrap().is_some(),
                "one of them has the completion"
            );
        }
    });
}

#[test]
#[ignore = "needs redis-server"]
fn every_completion_is_delivered_twice() {
    run_test(async {
        let server = TestRedis::start().await;
        let (a, b) = (open(&server).await, open(&server).await);
        make(&a, "b", 1_000).await;
        a.batch().seal("b").await.unwrap();
        let mut counted = 0;
        for _ in 0..20 {
            let claimed = claim(&a, "b", 50).await;
            let (x, y) = tokio::join!(
                a.batch().settle("b", done(&claimed)),
                b.batch().settle("b", done(&claimed)),
            );
            counted += x.unwrap().counted + y.unwrap().counted;
        }
        assert_eq!(counted, 1_000);
        let progress = a.batch().progress("b").await.unwrap().unwrap();
        assert_eq!((progress.done, progress.stages[0].done), (1_000, 1_000));
        assert_eq!(progress.status, BatchStatus::Completed);
        assert!(a.batch_upkeep().audit("b").await.unwrap().is_clean());
        // Settlements that did not count are not in the outbox.
        assert_eq!(a.batch_upkeep().outbox_len("b").await.unwrap(), 20);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_seal_races_the_last_completion() {
    run_test(async {
        let server = TestRedis::start().await;
        let (a, b) = (open(&server).await, open(&server).await);
        for round in 0..ROUNDS {
            let name = format!("b{round}");
            make(&a, &name, 1).await;
            let last = claim(&b, &name, 1).await;
            let (sealed, settled) =
                tokio::join!(a.batch().seal(&name), b.batch().settle(&name, done(&last)),);
            let by_seal = sealed.unwrap() == BatchStatus::Completed;
            assert_ne!(by_seal, settled.unwrap().is_completed, "one of them completes it");
            assert!(a.batch().claim_completion(&name, LEASE).await.unwrap().is_some());
            assert!(b.batch().claim_completion(&name, LEASE).await.unwrap().is_none());
        }
    });
}

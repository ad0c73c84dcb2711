//! Batches and dead letters: the very ones that were counted are changed.

use std::time::Duration;

use compartment::Database;
use compartment::batch::{BatchPlan, BatchStatus, ClaimRequest, Outcome, Settlement};
use compartment::queue::{AfterFailure, ClaimOptions, NewTask, QueueStoreExt};
use compartment_operations::changes::{Change, ChangeError};
use compartment_operations::work::queues;
use compartment_testkit::run_test;

use super::{Deployed, actor, assert_moved};

const LEASE: Duration = Duration::from_secs(60);

/// A batch of three documents, of which two failed for good.
async fn batch(database: &Database, name: &str) {
    let plan = BatchPlan::new().stage("read", &[]).max_attempts(1);
    let store = database.batch();
    store.create(name, &plan).await.unwrap();
    let entries = ["a", "b", "c"].map(|entry| entry.to_owned().into());
    store.submit(name, entries.to_vec()).await.unwrap();
    store.seal(name).await.unwrap();
    let claim = store.claim(name, ClaimRequest::new(0, 2, LEASE)).await.unwrap().unwrap();
    let failed = claim.documents.iter().map(|document| {
        let error = format!("ocr: page {}", document.ordinal);
        (document.ordinal, Outcome::Dead { error })
    });
    store.settle(name, Settlement::new(0, claim.token, failed.collect())).await.unwrap();
}

fn retry(error: Option<&str>) -> Change {
    Change::RetryFailed { batch: "smith".to_owned(), stage: None, error: error.map(str::to_owned) }
}

#[test]
#[ignore = "needs redis-server"]
fn failed_documents_are_retried_by_number_and_by_the_birth_of_their_batch() {
    run_test(async {
        let deployed = Deployed::start().await;
        let database = deployed.changes.operations().batch_database().await.unwrap();
        batch(&database, "smith").await;
        assert!(deployed.plan(retry(Some("disk"))).await.id.is_empty(), "none failed so");
        let plan = deployed.plan(retry(Some("ocr"))).await;
        assert_eq!(
            (plan.count, plan.touches[0].as_str()),
            (2, "stage read, error ocr: 2 documents")
        );
        // A batch of the same name, with failures that look alike.
        database.batch().remove("smith").await.unwrap();
        batch(&database, "smith").await;
        assert_moved(deployed.act(&plan).await);
        let dead = || async { database.batch().progress("smith").await.unwrap().unwrap().dead };
        assert_eq!(dead().await, 2);
        let plan = deployed.plan(retry(None)).await;
        assert_eq!(deployed.act(&plan).await.unwrap().count, 2);
        assert_eq!(dead().await, 0);
        let stage = Change::RetryFailed {
            batch: "smith".to_owned(),
            stage: Some("draw".to_owned()),
            error: None,
        };
        let wrong = deployed.changes.plan(stage, &actor()).await;
        assert!(matches!(wrong, Err(ChangeError::Invalid(_))), "{wrong:?}");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_batch_is_paused_resumed_and_cancelled() {
    run_test(async {
        let deployed = Deployed::start().await;
        let database = deployed.changes.operations().batch_database().await.unwrap();
        batch(&database, "smith").await;
        let name = || "smith".to_owned();
        let plan = deployed.plan(Change::PauseBatch { batch: name() }).await;
        // Its last document is done meanwhile, and with it the batch.
        let claim = ClaimRequest::new(0, 1, LEASE);
        let claim = database.batch().claim("smith", claim).await.unwrap().unwrap();
        let done = claim.documents.iter().map(|document| (document.ordinal, Outcome::Done));
        let settlement = Settlement::new(0, claim.token, done.collect());
        database.batch().settle("smith", settlement).await.unwrap();
        assert_moved(deployed.act(&plan).await);
        database.batch().remove("smith").await.unwrap();
        batch(&database, "smith").await;
        let status = || async {
            let progress = database.batch().progress("smith").await.unwrap().unwrap();
            (progress.status, progress.is_paused)
        };
        let before = status().await.0;
        let plan = deployed.plan(Change::PauseBatch { batch: name() }).await;
        deployed.act(&plan).await.unwrap();
        assert_eq!(status().await, (before, true));
        assert!(deployed.plan(Change::PauseBatch { batch: name() }).await.id.is_empty());
        let plan = deployed.plan(Change::ResumeBatch { batch: name() }).await;
        deployed.act(&plan).await.unwrap();
        assert_eq!(status().await, (before, false));
        let plan = deployed.plan(Change::CancelBatch { batch: name() }).await;
        deployed.act(&plan).await.unwrap();
        assert_eq!(status().await.0, BatchStatus::Cancelled);
    });
}

#[test]
#[ignore = "needs redis-server"]
fn dead_letters_are_replayed_and_removed_by_their_ids() {
    run_test(async {
        let deployed = Deployed::start().await;
        let databases = deployed.changes.operations().databases().await.unwrap();
        let database = deployed.changes.operations().batch_database().await.unwrap();
        let (stage, queue) = queues(&databases, None).unwrap().swap_remove(0);
        let bury = async |error: &str| {
            let store = database.queue();
            store.submit_one(&queue, NewTask::new("data")).await.unwrap();
            let mut claimed = store.claim(&queue, ClaimOptions::new(1, LEASE)).await.unwrap();
            let claim = claimed.swap_remove(0).claim;
            store.fail(&queue, claim, error, AfterFailure::Bury).await.unwrap();
        };
        bury("ocr: one").await;
        bury("disk: two").await;
        let replay = |error: &str| Change::ReplayDeadLetters {
            stage: Some(stage.clone()),
            error: Some(error.to_owned()),
            ids: Vec::new(),
        };
        let plan = deployed.plan(replay("ocr")).await;
        assert_eq!(plan.count, 1);
        bury("ocr: three").await;
        assert_moved(deployed.act(&plan).await);
        assert_eq!(database.queue().counts(&queue).await.unwrap().dead, 3);
        let plan = deployed.plan(replay("ocr")).await;
        assert_eq!(deployed.act(&plan).await.unwrap().count, 2);
        let purge = Change::PurgeDeadLetters { stage: None, error: None, ids: Vec::new() };
        let plan = deployed.plan(purge).await;
        assert_eq!(deployed.act(&plan).await.unwrap().count, 1);
        let counts = database.queue().counts(&queue).await.unwrap();
        assert_eq!((counts.dead, counts.waiting), (0, 2));
    });
}

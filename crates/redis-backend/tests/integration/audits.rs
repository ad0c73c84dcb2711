//! Audits of batches that are too long for one request: read from a copy, as they were at one moment.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use compartment_core::backend::Backend;
use compartment_core::{
    BatchPlan, ClaimRequest, Contract, Database, DatabaseKind, MAX_AT_ONCE, Outcome, Settlement,
};
use compartment_redis::RedisBackend;
use compartment_testkit::{TestRedis, run_test};

use crate::harness::config;

const NAME: &str = "papers";
const DOCUMENTS: usize = 25_000;
const LEASE: Duration = Duration::from_secs(60);

async fn open(url: &str) -> Database {
    let backend = RedisBackend::connect(config(url), &[0]).await.unwrap();
    backend.open(Contract::new("batches", DatabaseKind::Durable)).await.unwrap()
}

/// A batch whose documents all wait for the second stage.
async fn half_done(database: &Database) {
    let store = database.batch();
    store.create(NAME, &BatchPlan::chain(&["extract", "chunk"])).await.unwrap();
    for _ in (0..DOCUMENTS).step_by(MAX_AT_ONCE) {
        let page = vec![Bytes::from_static(b"a document"); MAX_AT_ONCE];
        store.submit(NAME, page).await.unwrap();
    }
    work(database, 0, usize::MAX).await;
}

/// Takes pages of documents through a stage.
async fn work(database: &Database, stage: usize, pages: usize) {
    let store = database.batch();
    for _ in 0..pages {
        let request = ClaimRequest::new(stage, MAX_AT_ONCE, LEASE);
        let Some(claim) = store.claim(NAME, request).await.unwrap() else { return };
        let outcomes = claim.documents.iter().map(|one| (one.ordinal, Outcome::Done)).collect();
        store.settle(NAME, Settlement::new(stage, claim.token, outcomes)).await.unwrap();
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_long_batch_is_audited_from_a_copy_that_goes() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(&server.url()).await;
        half_done(&database).await;
        let keys = server.command(&["DBSIZE"]).await.integer();
        let audit = database.batch_upkeep().audit(NAME).await.unwrap();
        assert!(audit.is_clean(), "{audit:?}");
        assert_eq!(server.command(&["DBSIZE"]).await.integer(), keys);

        // Two documents are lost; the audit names them, and the repair brings them back.
        for ordinal in ["7", "20000"] {
            server.command(&["LREM", "{batch:papers}:ready:1", "1", ordinal]).await;
        }
        let audit = database.batch_upkeep().audit(NAME).await.unwrap();
        assert_eq!(audit.stranded, [(1, 7), (1, 20_000)]);
        assert!(database.batch_upkeep().repair(NAME, &audit).await.unwrap());
        assert!(database.batch_upkeep().audit(NAME).await.unwrap().is_clean());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn an_audit_sees_one_moment_although_workers_go_on() {
    run_test(async {
        let server = TestRedis::start().await;
        let database = open(&server.url()).await;
        half_done(&database).await;
        let worker = database.clone();
        let worker = tokio::spawn(async move {
            for _ in 0..DOCUMENTS / MAX_AT_ONCE {
                work(&worker, 1, 1).await;
            }
        });
        let mut audits = 0;
        while !worker.is_finished() {
            let audit = database.batch_upkeep().audit(NAME).await.unwrap();
            assert!(audit.is_clean(), "{audit:?}");
            audits += 1;
        }
        worker.await.unwrap();
        assert!(audits > 0);
        assert!(database.batch_upkeep().audit(NAME).await.unwrap().is_clean());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_login_that_may_not_copy_audits_in_one_request() {
    run_test(async {
        let rules = "+@all -copy ~* &*";
        let server = TestRedis::builder().acl_user("reader", "secret", rules).start().await;
        half_done(&open(&server.url()).await).await;
        let database = open(&server.url_with_user("reader", "secret")).await;
        assert!(database.batch_upkeep().audit(NAME).await.unwrap().is_clean());
    });
}

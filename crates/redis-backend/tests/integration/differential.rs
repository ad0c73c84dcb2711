//! Random programs in memory and on a real server: every answer and every TTL agree.

use compartment_testkit::differential::{
    batch_operations, operations, queue_operations, run_batch_differential, run_differential,
    run_queue_differential,
};
use compartment_testkit::run_test;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::RedisHarness;
use crate::memory_harness::MemoryHarness;

/// Runs random programs on both. A failure is shrunk and printed; no file is written.
async fn compare(subject: &RedisHarness, cases: u32) {
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(settings(cases)).run(&operations(), |program| {
            tokio::runtime::Handle::current().block_on(async {
                subject.flush().await;
                run_differential(&MemoryHarness::new(), subject, program).await;
            });
            Ok(())
        })
    });
    assert_eq!(outcome.map_err(|failure| failure.to_string()), Ok(()));
}

/// Compares programs over queues.
async fn compare_queues(subject: &RedisHarness, cases: u32) {
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(settings(cases)).run(&queue_operations(), |program| {
            tokio::runtime::Handle::current().block_on(async {
                subject.flush().await;
                run_queue_differential(&MemoryHarness::new(), subject, program).await;
            });
            Ok(())
        })
    });
    assert_eq!(outcome.map_err(|failure| failure.to_string()), Ok(()));
}

/// Compares programs over batches.
async fn compare_batches(subject: &RedisHarness, cases: u32) {
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(settings(cases)).run(&batch_operations(), |program| {
            tokio::runtime::Handle::current().block_on(async {
                subject.flush().await;
                run_batch_differential(&MemoryHarness::new(), subject, program).await;
            });
            Ok(())
        })
    });
    assert_eq!(outcome.map_err(|failure| failure.to_string()), Ok(()));
}

fn settings(cases: u32) -> Config {
    let mut config = Config::with_cases(cases);
    config.failure_persistence = None;
    config
}

#[test]
#[ignore = "needs redis-server"]
fn redis_answers_as_memory_does() {
    run_test(async { compare(&RedisHarness::start().await, 128).await });
}

#[test]
#[ignore = "needs redis-server"]
fn a_cluster_answers_as_memory_does() {
    run_test(async { compare(&RedisHarness::cluster().await, 24).await });
}

#[test]
#[ignore = "needs redis-server"]
fn queues_on_redis_answer_as_those_in_memory_do() {
    run_test(async { compare_queues(&RedisHarness::start().await, 128).await });
}

#[test]
#[ignore = "needs redis-server"]
fn queues_on_a_cluster_answer_as_those_in_memory_do() {
    run_test(async { compare_queues(&RedisHarness::cluster().await, 24).await });
}

#[test]
#[ignore = "needs redis-server"]
fn batches_on_redis_answer_as_those_in_memory_do() {
    run_test(async { compare_batches(&RedisHarness::start().await, 128).await });
}

#[test]
#[ignore = "needs redis-server"]
fn batches_on_a_cluster_answer_as_those_in_memory_do() {
    run_test(async { compare_batches(&RedisHarness::cluster().await, 24).await });
}

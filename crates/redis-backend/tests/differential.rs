//! Random programs on memory and on a real server: every answer and every TTL the same.

mod harness;
#[path = "../../memory-backend/tests/harness/mod.rs"]
mod memory_harness;

use compartment_testkit::differential::{operations, run_differential};
use compartment_testkit::run_test;
use proptest::test_runner::{Config, TestRunner};

use harness::RedisHarness;
use memory_harness::MemoryHarness;

/// Runs random programs on both. A failure is shrunk and printed; nothing is written beside the
/// sources.
async fn compare(subject: &RedisHarness, cases: u32) {
    let mut config = Config::with_cases(cases);
    config.failure_persistence = None;
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&operations(), |program| {
            tokio::runtime::Handle::current().block_on(async {
                subject.flush().await;
                run_differential(&MemoryHarness::new(), subject, program).await;
            });
            Ok(())
        })
    });
    assert_eq!(outcome.map_err(|failure| failure.to_string()), Ok(()));
}

#[test]
#[cfg_attr(not(have_redis), ignore = "needs redis-server")]
fn redis_answers_as_memory_does() {
    run_test(async { compare(&RedisHarness::start().await, 128).await });
}

#[test]
#[cfg_attr(not(have_redis), ignore = "needs redis-server")]
fn a_cluster_answers_as_memory_does() {
    run_test(async { compare(&RedisHarness::cluster().await, 24).await });
}

//! The suite for every backend on a single server, and the capabilities of this one.

use compartment_core::backend::Capabilities;
use compartment_testkit::{Harness, run_test};

use crate::harness::RedisHarness;

compartment_testkit::conformance_suite!(
    #[ignore = "needs redis-server"]
    => RedisHarness::start().await
);

/// A changed capability changes which tests are meaningful.
#[test]
#[ignore = "needs redis-server"]
fn the_capabilities_are_these() {
    let mut wanted = Capabilities::none();
    wanted.outlives_process = true;
    wanted.shared_between_processes = true;
    wanted.holds_budget = true;
    (wanted.queues, wanted.batches, wanted.channels) = (true, true, true);
    run_test(async {
        assert_eq!(RedisHarness::start().await.capabilities(), wanted);
    });
}

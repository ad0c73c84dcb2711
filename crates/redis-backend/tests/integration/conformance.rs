//! The suite that every backend passes, on one server; and this backend's capabilities.

use compartment_core::backend::Capabilities;
use compartment_testkit::{Harness, run_test};

use crate::harness::RedisHarness;

compartment_testkit::conformance_suite!(
    #[ignore = "needs redis-server"]
    => RedisHarness::start().await
);

/// A capability that is lost, or gained, changes which tests mean anything.
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

//! The suite for every backend, and the capabilities of this one.

use compartment_core::backend::{Backend, Capabilities};
use compartment_memory::MemoryBackend;

use crate::harness::MemoryHarness;

compartment_testkit::conformance_suite!(MemoryHarness::new());

/// A changed capability changes which tests are meaningful.
#[test]
fn the_capabilities_are_these() {
    let mut wanted = Capabilities::none();
    wanted.holds_budget = true;
    (wanted.queues, wanted.batches, wanted.channels) = (true, true, true);
    wanted.injected_clock = true;
    assert_eq!(MemoryBackend::default().capabilities(), wanted);
}

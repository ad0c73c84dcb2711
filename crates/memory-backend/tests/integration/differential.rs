//! Random programs on two memory backends, where a comparison has to find no difference.

use compartment_testkit::differential::{operations, run_differential};
use compartment_testkit::run_test;
use proptest::prelude::*;

use crate::harness::MemoryHarness;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn memory_answers_as_memory_does(program in operations()) {
        run_test(async {
            run_differential(&MemoryHarness::new(), &MemoryHarness::new(), program).await;
        });
    }
}

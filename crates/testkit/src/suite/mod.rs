//! One test for each item of the store traits' contracts.
//!
//! Each function takes a harness, opens its own databases and panics if the contract is broken;
//! [`conformance_suite!`](crate::conformance_suite) makes tests of all of them. A file of the suite ends with the
//! list of its tests and the capability they need.

/// Lists the tests of a file, in a macro that passes them to `conformance_suite!`.
macro_rules! suite {
    ($store:ident as $list:ident, needs $need:ident: $($name:ident)+) => {
        suite!(@define ($) $store $list $need $($name)+);
    };
    // A `$` of the inner macro has to come from outside.
    (@define ($dollar:tt) $store:ident $list:ident $need:ident $($name:ident)+) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $list {
            ($dollar attributes:tt $dollar harness:expr) => {
                $crate::conformance_suite!(
                    @store $store $need $dollar attributes $dollar harness; $($name)+
                );
            };
        }
    };
}

mod databases;
mod need;

pub mod batch;
pub mod batch_claims;
pub mod batch_events;
pub mod batch_identity;
pub mod batch_leases;
pub mod batch_upkeep;
pub mod cancellation;
pub mod channel;
pub mod contract;
pub mod counter;
pub mod hash;
pub mod key_value;
pub mod lock;
pub mod lock_guard;
pub mod queue;
pub mod queue_claims;
pub mod queue_order;
pub mod queue_upkeep;
pub mod rate_limit;
pub mod typed;

pub use need::Need;

/// Expands to one `#[test]` for each item of the store traits' contracts, in a module for each store.
///
/// The expression creates a [`Harness`](crate::Harness) and may await. It is evaluated for each test, in a module
/// inside the one that uses the macro. Attributes before it are applied to every test. Each test has its own runtime
/// and fails if it hangs.
///
/// A backend whose [`Capabilities`](compartment_core::backend::Capabilities) lack queues, batches or channels can
/// still pass: each test of such a store then expects
/// [`ErrorKind::Unsupported`](compartment_core::ErrorKind::Unsupported).
///
/// ```text
/// compartment_testkit::conformance_suite!(MemoryHarness::new());
///
/// compartment_testkit::conformance_suite!(
///     #[ignore = "needs redis-server"]
///     => RedisHarness::start().await
/// );
/// ```
#[macro_export]
macro_rules! conformance_suite {
    // Passed on as one group, since the attributes do not repeat with the tests.
    ($(#[$attribute:meta])* => $harness:expr) => {
        $crate::key_value_suite!([$(#[$attribute])*] $harness);
        $crate::hash_suite!([$(#[$attribute])*] $harness);
        $crate::counter_suite!([$(#[$attribute])*] $harness);
        $crate::lock_suite!([$(#[$attribute])*] $harness);
        $crate::lock_guard_suite!([$(#[$attribute])*] $harness);
        $crate::rate_limit_suite!([$(#[$attribute])*] $harness);
        $crate::queue_suite!([$(#[$attribute])*] $harness);
        $crate::queue_upkeep_suite!([$(#[$attribute])*] $harness);
        $crate::queue_claims_suite!([$(#[$attribute])*] $harness);
        $crate::queue_order_suite!([$(#[$attribute])*] $harness);
        $crate::batch_suite!([$(#[$attribute])*] $harness);
        $crate::batch_leases_suite!([$(#[$attribute])*] $harness);
        $crate::batch_claims_suite!([$(#[$attribute])*] $harness);
        $crate::batch_identity_suite!([$(#[$attribute])*] $harness);
        $crate::batch_upkeep_suite!([$(#[$attribute])*] $harness);
        $crate::batch_events_suite!([$(#[$attribute])*] $harness);
        $crate::channel_suite!([$(#[$attribute])*] $harness);
        $crate::cancellation_suite!([$(#[$attribute])*] $harness);
        $crate::contract_suite!([$(#[$attribute])*] $harness);
        $crate::typed_suite!([$(#[$attribute])*] $harness);
    };
    (@store $store:ident $need:ident $attributes:tt $harness:expr; $($name:ident)+) => {
        mod $store {
            use super::*;

            $($crate::conformance_suite!(@test $store $need $attributes $harness; $name);)+
        }
    };
    (@test $store:ident $need:ident [$(#[$attribute:meta])*] $harness:expr; $name:ident) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            $crate::run_test(async {
                let harness = $harness;
                if $crate::suite::Need::$need.is_met(&harness) {
                    $crate::suite::$store::$name(&harness).await;
                } else {
                    $crate::suite::Need::$need.expect_unsupported(&harness).await;
                }
            });
        }
    };
    ($harness:expr) => {
        $crate::conformance_suite!(=> $harness);
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    /// A test that is not listed would never run.
    #[test]
    fn every_function_of_the_suite_is_listed_and_every_list_is_used() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/suite");
        let mut used = 0;
        for entry in folder.read_dir().expect("the suite is here") {
            let path = entry.expect("a file of the suite").path();
            let text = std::fs::read_to_string(&path).expect("a file is text");
            let functions: BTreeSet<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next())
                .collect();
            if functions.is_empty() {
                continue;
            }
            let name = path.file_stem().expect("a file has a name").to_string_lossy();
            let list = text.split_once("\nsuite! {").map_or("", |(_, list)| list);
            let listed: BTreeSet<&str> = list.lines().skip(1).map(str::trim).collect();
            let missing: Vec<_> = functions.difference(&listed).collect();
            assert!(missing.is_empty(), "{name}: not in its list: {missing:?}");
            let call = format!("$crate::{name}_suite!(");
            assert!(include_str!("mod.rs").contains(&call), "conformance_suite! lacks {name}");
            used += 1;
        }
        assert!(used > 0, "no file of the suite was found");
    }
}

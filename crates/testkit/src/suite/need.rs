//! Capabilities that tests of the suite need, and the test for a backend without one.

use std::fmt::Debug;

use compartment_core::{BatchPlan, ErrorKind, Result};

use super::databases::durable;
use crate::Harness;

/// The capability needed by the tests of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Every backend has the store.
    Nothing,
    /// [`Capabilities::queues`](compartment_core::backend::Capabilities::queues).
    Queues,
    /// [`Capabilities::batches`](compartment_core::backend::Capabilities::batches).
    Batches,
    /// [`Capabilities::channels`](compartment_core::backend::Capabilities::channels).
    Channels,
}

impl Need {
    /// Whether the backend under test has the capability.
    pub fn is_met(self, harness: &dyn Harness) -> bool {
        let capabilities = harness.capabilities();
        match self {
            Self::Nothing => true,
            Self::Queues => capabilities.queues,
            Self::Batches => capabilities.batches,
            Self::Channels => capabilities.channels,
        }
    }

    /// Checks that a store the backend lacks returns "unsupported" and does nothing.
    pub async fn expect_unsupported(self, harness: &dyn Harness) {
        let database = durable(harness).await;
        match self {
            Self::Nothing => {}
            Self::Queues => unsupported(database.queue().counts("a").await),
            Self::Batches => {
                let plan = BatchPlan::chain(&["extract"]);
                unsupported(database.batch().create("a", &plan).await);
                unsupported(database.batch_upkeep().audit("a").await);
                unsupported(database.batch_events().join("a", "group").await);
            }
            Self::Channels => {
                unsupported(database.channel().publish("a", "message".into()).await);
            }
        }
    }
}

fn unsupported<T: Debug>(answer: Result<T>) {
    let error = answer.expect_err("the backend says that it lacks the store");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

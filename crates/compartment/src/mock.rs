//! `mockall` mocks of the store traits.

pub use compartment_core::{
    MockBatchEventStore, MockBatchStore, MockBatchUpkeepStore, MockChannelStore, MockCounterStore,
    MockHashStore, MockKeyValueStore, MockLockStore, MockQueueStore, MockRateLimitStore,
    MockUsageStore,
};

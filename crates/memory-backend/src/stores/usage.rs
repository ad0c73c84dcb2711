//! Keys and bytes of a database in memory.

use async_trait::async_trait;
use compartment_core::{Result, Usage, UsageStore};

use crate::backend::MemoryStores;

#[async_trait]
impl UsageStore for MemoryStores {
    async fn usage(&self) -> Result<Usage> {
        let (keys, bytes) = self.keyspace.keys_and_bytes(self.contract.placement.prefix());
        Ok(Usage::new(keys, bytes, true))
    }
}

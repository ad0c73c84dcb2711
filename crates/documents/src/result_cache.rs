//! The cache of the stages' results.

use compartment_cache::{Cache, CacheOptions};
use compartment_core::{Databases, Result, Role};

/// Default size of the first tier, for a run that reads each document once.
const FIRST_TIER_BYTES: u64 = 16 * 1024 * 1024;

/// Opens the cache of the results as configured; disabled by the configuration or the caller.
pub(crate) async fn open_cache(databases: &Databases, enabled: bool) -> Result<Cache> {
    let map = databases.map();
    let mut options = CacheOptions::for_map(map).metrics(databases.role(Role::Metrics)?);
    options.enabled &= enabled;
    options.first_tier_bytes = map.cache().first_tier.unwrap_or(FIRST_TIER_BYTES);
    Cache::open(databases.role(Role::Cache)?, options).await
}

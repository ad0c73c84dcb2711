//! The cache of the stages' results.

use compartment_cache::{Cache, CacheOptions};
use compartment_core::{Databases, Result, Role};

/// The first tier of a run that looks at each document once, unless the configuration says.
const FIRST_TIER_BYTES: u64 = 16 * 1024 * 1024;

/// The cache of the results, as the configuration has it; off where it or the caller says so.
pub(crate) async fn open_cache(databases: &Databases, enabled: bool) -> Result<Cache> {
    let map = databases.map();
    let mut options = CacheOptions::for_map(map).metrics(databases.role(Role::Metrics)?);
    options.enabled &= enabled;
    options.first_tier_bytes = map.cache().first_tier.unwrap_or(FIRST_TIER_BYTES);
    Cache::open(databases.role(Role::Cache)?, options).await
}

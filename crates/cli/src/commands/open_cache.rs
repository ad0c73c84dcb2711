//! Opens the cache that a command is about.

use compartment::Databases;
use compartment::cache::{Cache, CacheOptions};

use crate::exit_code::CliError;

/// The cache, on whatever the configuration says: an invalidation counts while programs run with
/// it off, too.
pub(super) async fn open(databases: &Databases, name: &str) -> Result<Cache, CliError> {
    let options = CacheOptions::for_map(databases.map()).enabled(true);
    Ok(Cache::open(databases.get(name)?, options).await?)
}

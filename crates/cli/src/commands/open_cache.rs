//! Opens the cache named by a command.

use compartment::Databases;
use compartment::cache::{Cache, CacheOptions};

use crate::exit_code::CliError;

/// Opens the cache even if the configuration turns it off: other programs may use it, and need the invalidation.
pub(super) async fn open(databases: &Databases, name: &str) -> Result<Cache, CliError> {
    let options = CacheOptions::for_map(databases.map()).enabled(true);
    Ok(Cache::open(databases.get(name)?, options).await?)
}

//! Opens the databases of a map, with the backend that each instance's URL needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use compartment_core::backend::Backend;
use compartment_core::{Clock, DatabaseMap, Databases, Error, ErrorKind, Instance, Result, Scheme};
#[cfg(feature = "redis")]
use compartment_redis::{RedisBackend, RedisConfig};

/// Opens every database of `map`: connects to each instance, checks that its databases are isolated, and opens
/// separate connections for each database.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if a URL needs a feature that is not compiled in; otherwise the backend's error, with
/// the server's address and what to do.
pub async fn open(map: DatabaseMap) -> Result<Databases> {
    open_all(map, None).await
}

/// Opens databases with an injected clock, which is used for expiry in memory and for locks and limits on both
/// backends.
///
/// # Errors
/// As [`open`].
pub async fn open_with_clock(map: DatabaseMap, clock: Arc<dyn Clock>) -> Result<Databases> {
    open_all(map, Some(clock)).await
}

#[cfg_attr(
    not(any(feature = "memory", feature = "redis")),
    expect(unused_variables, reason = "without a backend every instance is refused")
)]
async fn open_all(map: DatabaseMap, clock: Option<Arc<dyn Clock>>) -> Result<Databases> {
    let mut backends: BTreeMap<String, Arc<dyn Backend>> = BTreeMap::new();
    #[cfg(feature = "redis")]
    let mut servers = BTreeMap::new();
    for (name, instance) in map.instances() {
        let indexes: Vec<u32> = map
            .databases()
            .iter()
            .filter(|contract| contract.placement.instance() == name)
            .map(|contract| contract.placement.index())
            .collect();
        // Do not connect to an instance without databases.
        if !indexes.is_empty() {
            let backend: Arc<dyn Backend> = match instance.url.scheme() {
                #[cfg(feature = "memory")]
                Scheme::Memory => Arc::new(on_memory(clock.clone())),
                #[cfg(feature = "redis")]
                Scheme::Standalone | Scheme::Unix | Scheme::Sentinel | Scheme::Cluster => {
                    let mut config = RedisConfig::for_instance(instance, indexes.len());
                    config.clock.clone_from(&clock);
                    let backend = Arc::new(RedisBackend::connect(config, &indexes).await?);
                    servers.insert(name.clone(), Arc::clone(&backend));
                    backend
                }
                _ => return Err(not_compiled_in(instance)),
            };
            backends.insert(name.clone(), backend);
        }
    }
    // Two names of one server are detected here, after each was probed.
    #[cfg(feature = "redis")]
    compartment_redis::check_apart(&map, &servers).await?;
    Databases::open(map, &backends).await
}

#[cfg(feature = "memory")]
fn on_memory(clock: Option<Arc<dyn Clock>>) -> compartment_memory::MemoryBackend {
    let mut config = compartment_memory::MemoryConfig::default();
    if let Some(clock) = clock {
        config.clock = clock;
    }
    compartment_memory::MemoryBackend::new(config)
}

fn not_compiled_in(instance: &Instance) -> Error {
    let feature = if instance.url.scheme() == Scheme::Memory { "memory" } else { "redis" };
    let what = format!(
        "{} needs the feature `{feature}` of the crate compartment, and this program was built \
         without it: compartment = {{ …, features = [\"{feature}\"] }}",
        instance.url
    );
    Error::new(ErrorKind::Unsupported, "open databases", what)
}

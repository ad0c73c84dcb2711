//! From a map to open databases: picks the backend by each instance's URL.

use std::collections::BTreeMap;
use std::sync::Arc;

use compartment_core::{
    Backend, Clock, DatabaseMap, Databases, Error, ErrorKind, Instance, Result,
};

/// Opens every database of `map`: connects to each instance, proves that its databases are
/// isolated, and opens each database's own connections.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when a URL needs a feature that is not compiled in; else as the
/// backend's, with the server's address and what to do.
pub async fn open(map: DatabaseMap) -> Result<Databases> {
    open_all(map, None).await
}

/// The same with a clock of the caller's: expiry on memory, locks and limits on both backends.
///
/// # Errors
/// As [`open`].
pub async fn open_with_clock(map: DatabaseMap, clock: Arc<dyn Clock>) -> Result<Databases> {
    open_all(map, Some(clock)).await
}

async fn open_all(map: DatabaseMap, clock: Option<Arc<dyn Clock>>) -> Result<Databases> {
    let mut backends: BTreeMap<String, Arc<dyn Backend>> = BTreeMap::new();
    for (name, instance) in map.instances() {
        let indexes: Vec<u32> = map
            .databases()
            .iter()
            .filter(|contract| contract.placement.instance() == name)
            .map(|contract| contract.placement.index())
            .collect();
        // An instance that no database lives on is not connected to.
        if !indexes.is_empty() {
            let backend = backend_for(instance, &indexes, clock.clone()).await?;
            backends.insert(name.clone(), backend);
        }
    }
    Databases::open(map, &backends).await
}

async fn backend_for(
    instance: &Instance,
    indexes: &[u32],
    clock: Option<Arc<dyn Clock>>,
) -> Result<Arc<dyn Backend>> {
    match instance.url.scheme() {
        #[cfg(feature = "memory")]
        compartment_core::Scheme::Memory => {
            let mut config = compartment_memory::MemoryConfig::default();
            if let Some(clock) = clock {
                config.clock = clock;
            }
            Ok(Arc::new(compartment_memory::MemoryBackend::new(config)))
        }
        #[cfg(feature = "redis")]
        compartment_core::Scheme::Standalone
        | compartment_core::Scheme::Unix
        | compartment_core::Scheme::Sentinel
        | compartment_core::Scheme::Cluster => {
            let mut config = compartment_redis::RedisConfig::for_instance(instance, indexes.len());
            config.clock = clock;
            Ok(Arc::new(compartment_redis::RedisBackend::connect(config, indexes).await?))
        }
        scheme => {
            let _ = (indexes, clock);
            let feature = match scheme {
                compartment_core::Scheme::Memory => "memory",
                _ => "redis",
            };
            let what = format!(
                "{} needs the feature `{feature}` of the crate compartment, and this program was built \
                 without it: compartment = {{ …, features = [\"{feature}\"] }}",
                instance.url
            );
            Err(Error::new(ErrorKind::Unsupported, "open databases", what))
        }
    }
}

//! The databases of a map that share the index of a place.

use compartment_core::{Contract, DatabaseMap, Scheme};
use compartment_redis::{RedisConfig, Server};

use crate::{Place, Result};

/// The databases of the map on a place's server and index.
pub(crate) struct Neighbours {
    /// The databases as placed there.
    pub(crate) contracts: Vec<Contract>,
    /// One refusal for each unreachable instance, whose databases may be here.
    pub(crate) unknown: Vec<String>,
}

/// The databases of the map that share at least some keys with `place`'s index. An instance is
/// recognised by its server, not by its address.
pub(crate) async fn neighbours(place: &Place, map: &DatabaseMap) -> Result<Neighbours> {
    let mut here = Neighbours { contracts: Vec::new(), unknown: Vec::new() };
    for (name, instance) in map.instances() {
        let of_instance = map.databases().iter().filter(|one| one.placement.instance() == name);
        // Databases of other indexes can be here only if the server has one index.
        let could_be_here: Vec<&Contract> = of_instance
            .filter(|one| one.placement.index() == place.index() || place.index() == 0)
            .collect();
        if could_be_here.is_empty() || instance.url.scheme() == Scheme::Memory {
            continue;
        }
        let server = match Server::connect(RedisConfig::for_instance(instance, 1)).await {
            Ok(server) => server,
            Err(error) => {
                here.unknown.push(format!(
                    "instance {name:?} cannot be reached ({}), and may be this server: its {} \
                     may be in here",
                    error.message(),
                    could_be_here
                        .iter()
                        .map(|one| one.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                ));
                continue;
            }
        };
        if !place.is_on(&server).await? {
            continue;
        }
        let placed = could_be_here.into_iter().map(|one| server.info().place(one.clone()));
        here.contracts.extend(placed.filter(|one| one.placement.index() == place.index()));
    }
    here.contracts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(here)
}

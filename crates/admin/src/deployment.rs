//! A database map on its servers: each instance with the databases that are placed on it.

use std::time::Duration;

use compartment_core::{Contract, DatabaseMap, Error, Instance, Scheme};
use compartment_redis::{RedisConfig, Server};

use crate::Place;

/// A database of the map, and its place on the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NamedPlace {
    /// Its contract, placed as the server can place it.
    pub contract: Contract,
    /// Where its keys are.
    pub place: Place,
}

/// An instance of the map, reached or not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeployedInstance {
    /// Its name in `[instances]`.
    pub name: String,
    /// Its address, the password hidden.
    pub address: String,
    /// The server with the databases of the map that are placed on it, or why it was not reached.
    pub server: Result<DeployedServer, Error>,
}

/// A server, and the databases of the map that are placed on it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeployedServer {
    /// The server.
    pub server: Server,
    /// Its databases, in the order of the map.
    pub databases: Vec<NamedPlace>,
}

/// A database map on its servers. Instances in memory are left out: no other program sees them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deployment {
    /// The map.
    pub map: DatabaseMap,
    /// Its instances, by name.
    pub instances: Vec<DeployedInstance>,
}

impl Deployment {
    /// Connects to each instance of the map. An instance that is not reached is part of the answer. A request may
    /// take `response_timeout`, or the longer time that its instance is configured with.
    pub async fn connect(map: &DatabaseMap, response_timeout: Duration) -> Self {
        let mut instances = Vec::new();
        for (name, instance) in map.instances() {
            if instance.url.scheme() == Scheme::Memory {
                continue;
            }
            let server = DeployedServer::connect(map, name, instance, response_timeout).await;
            let address = instance.url.to_string();
            instances.push(DeployedInstance { name: name.clone(), address, server });
        }
        Self { map: map.clone(), instances }
    }

    /// The servers that were reached, with their instances' names.
    pub fn servers(&self) -> impl Iterator<Item = (&str, &DeployedServer)> {
        self.instances.iter().filter_map(|one| Some((one.name.as_str(), one.server.as_ref().ok()?)))
    }
}

impl DeployedServer {
    /// Connects to one instance of the map, whose name there is `name`. A request may take `response_timeout`, or the
    /// longer time that the instance is configured with.
    ///
    /// # Errors
    /// Those of [`Server::connect`].
    pub async fn connect(
        map: &DatabaseMap,
        name: &str,
        instance: &Instance,
        response_timeout: Duration,
    ) -> Result<Self, Error> {
        let mut config = RedisConfig::for_instance(instance, 1);
        config.response_timeout = config.response_timeout.max(response_timeout);
        Ok(Self::new(map, name, Server::connect(config).await?))
    }

    fn new(map: &DatabaseMap, instance: &str, server: Server) -> Self {
        let here = map.databases().iter().filter(|one| one.placement.instance() == instance);
        let databases = here.map(|contract| {
            let contract = server.info().place(contract.clone());
            let (index, prefix) = (contract.placement.index(), contract.placement.prefix());
            let place = Place::new(contract.name.as_str(), server.clone(), index)
                .with_prefix(prefix.to_owned());
            NamedPlace { contract, place }
        });
        Self { databases: databases.collect(), server }
    }
}

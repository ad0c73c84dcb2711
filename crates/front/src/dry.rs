//! The map of the dry mode: each index of a server is a database of its own, and everything is allowed.

use std::fmt::Write;

use compartment_core::{Contract, DatabaseKind, DatabaseMap, FrontContract, FrontRoute, Result};

use crate::observer::Observer;
use crate::route::Router;

/// Indexes that programs may select.
const INDEXES: u32 = 128;

/// A map that passes every request to the index that its program selects, on the server `home`, and who counts what the
/// routes of `map` would do.
pub(crate) fn passing(
    map: &DatabaseMap,
    router: Router,
    home: &str,
    servers: &[String],
) -> Result<(DatabaseMap, Router, Option<Observer>)> {
    let of =
        |contract: &Contract| servers.iter().position(|name| name == contract.placement.instance());
    let numbers =
        router.databases().iter().map(|contract| of(contract).unwrap_or_default()).collect();
    let mut settings = map.front().clone();
    let observer = Observer::new(router, numbers, settings.allow.clone());
    settings.routes.clear();
    let mut name = String::new();
    let mut builder = DatabaseMap::builder();
    if let Some(instance) = map.instances().get(home) {
        builder = builder.instance(home, instance.clone());
    }
    for index in 0..INDEXES {
        name.clear();
        // Writing to a String does not fail.
        let _ = write!(name, "index{index}");
        let placement = compartment_core::Placement::Index { instance: home.to_owned(), index };
        builder =
            builder.database(Contract::new(&name, DatabaseKind::Durable).placement(placement));
        let mut route = FrontRoute::new(&name);
        route.select = vec![index];
        route.flush = Some(vec![name.clone()]);
        settings.routes.push(route);
    }
    settings.default = None;
    settings.flush.clear();
    settings.contract = FrontContract::Observe;
    settings.allow = ALL.iter().map(ToString::to_string).collect();
    let map = builder.front(settings).build()?;
    let router = Router::new(&map, &|_| None)?;
    Ok((map, router, Some(observer)))
}

/// Commands that are refused otherwise.
const ALL: [&str; 18] = [
    "flushall",
    "swapdb",
    "config",
    "shutdown",
    "debug",
    "replicaof",
    "slaveof",
    "save",
    "acl",
    "module",
    "failover",
    "sync",
    "psync",
    "replconf",
    "pfdebug",
    "restore-asking",
    "client",
    "monitor",
];

//! Resolves user input to a place on a server: a database's name, an index, or a URL.

use std::time::Duration;

use compartment_core::{DatabaseMap, Instance, InstanceUrl, Scheme, TlsFiles};
use compartment_redis::{RedisConfig, Server};

use crate::{AdminError, Place, Result};

/// Time-out of a request: one command on a large value can take longer than a store's request should.
const PATIENCE: Duration = Duration::from_secs(120);

/// Resolves `text`: a name of the map, an index on the primary instance, or `redis://host:port/index`.
///
/// # Errors
/// [`AdminError::NoPlace`] if it leads to no database; the server's.
pub async fn resolve(map: &DatabaseMap, text: &str) -> Result<Place> {
    if text.contains("://") {
        return of_url(map, text).await;
    }
    if let Some(contract) = map.database(text) {
        let server = connect(&instance(map, contract.placement.instance())?).await?;
        let placement = server.info().place(contract.clone()).placement;
        let (index, prefix) = (placement.index(), placement.prefix().to_owned());
        return Ok(Place::new(text, server, index).with_prefix(prefix));
    }
    if let Ok(index) = text.parse::<u32>() {
        return numbered(connect(&primary(map)?).await?, index);
    }
    let known: Vec<&str> = map.databases().iter().map(|contract| contract.name.as_str()).collect();
    Err(no_place(
        format!(
            "there is no database {:?}; known databases: {}",
            InstanceUrl::hide_login(text),
            known.join(", ")
        ),
        "an index (0) or a URL (redis://host:port/0) also works",
    ))
}

/// The instance with this name.
///
/// # Errors
/// [`AdminError::NoPlace`] if the map has none.
pub fn instance(map: &DatabaseMap, name: &str) -> Result<Instance> {
    map.instances()
        .get(name)
        .cloned()
        .ok_or_else(|| no_place(format!("no instance {name:?} is configured"), ""))
}

/// The instance to which a bare index refers: `primary`, or the only one.
///
/// # Errors
/// [`AdminError::NoPlace`] if it cannot be told.
pub fn primary(map: &DatabaseMap) -> Result<Instance> {
    let instances = map.instances();
    match (instances.get("primary"), instances.len()) {
        (Some(primary), _) => Ok(primary.clone()),
        (None, 1) => instance(map, instances.keys().next().map_or("", String::as_str)),
        _ => Err(no_place(
            "there are several instances and none is called primary: give the name of a database, or a URL",
            "",
        )),
    }
}

/// The instance of that name that is a server; without a name `primary`, or the only one.
///
/// # Errors
/// [`AdminError::NoPlace`] if there is none.
pub fn server<'a>(map: &'a DatabaseMap, name: Option<&str>) -> Result<(&'a str, &'a Instance)> {
    let all = map.instances().iter();
    let mut servers: Vec<(&str, &Instance)> = all
        .filter(|(_, instance)| instance.url.scheme() != Scheme::Memory)
        .map(|(name, instance)| (name.as_str(), instance))
        .collect();
    let wanted = name.unwrap_or("primary");
    let found = servers.iter().position(|(known, _)| *known == wanted);
    let only = (name.is_none() && servers.len() == 1).then_some(0);
    let known: Vec<&str> = servers.iter().map(|(name, _)| *name).collect();
    match found.or(only) {
        Some(at) => Ok(servers.swap_remove(at)),
        None => Err(no_place(
            format!("no server {wanted:?} is configured; known: {}", known.join(", ")),
            "",
        )),
    }
}

async fn of_url(map: &DatabaseMap, text: &str) -> Result<Place> {
    let url = InstanceUrl::parse(text)?;
    let index = url.index().unwrap_or(0);
    numbered(connect(&with_url(map, url).await?).await?, index)
}

/// An instance with this URL. If a configured instance has the same address, its other settings are used, such as the
/// TLS files.
///
/// # Errors
/// When the URL is wrong.
pub async fn with_url(map: &DatabaseMap, url: InstanceUrl) -> Result<Instance> {
    let mut configured = None;
    for instance in map.instances().values() {
        if instance.url.has_address_of(&url) || is_reached_alike(&instance.url, &url).await {
            configured = Some(instance);
            break;
        }
    }
    let mut instance = Instance::new(url.reveal())?;
    if let Some(configured) = configured {
        let own = std::mem::replace(&mut instance, configured.clone());
        if own.tls != TlsFiles::default() {
            instance.tls = own.tls;
        }
        instance.url = url;
    }
    Ok(instance)
}

/// Whether the hosts of both URLs resolve to a common address.
async fn is_reached_alike(one: &InstanceUrl, other: &InstanceUrl) -> bool {
    let addresses = async |url: &InstanceUrl| {
        let mut found = Vec::new();
        for (host, port) in url.addresses() {
            found.extend(tokio::net::lookup_host((host, port)).await.into_iter().flatten());
        }
        found
    };
    let others = addresses(other).await;
    addresses(one).await.iter().any(|address| others.contains(address))
}

/// The server named in a plan or journal. These never contain a password, so a server with one has to be configured.
///
/// # Errors
/// [`AdminError::NoPlace`] if it is not; the server's.
pub async fn of_server(map: &DatabaseMap, server: &str, index: u32) -> Result<Place> {
    let configured: Vec<&Instance> = map.instances().values().collect();
    let named = InstanceUrl::parse(server);
    let written = configured.iter().find(|instance| instance.url.to_string() == server);
    let instance = match (written, &named) {
        (Some(instance), _) => Instance::clone(instance),
        // The written address is used. Only the hidden login is taken from the configured instance with that address.
        (None, Ok(url)) if server.contains("***@") => {
            let alike = configured.iter().find(|instance| instance.url.has_address_of(url));
            let Some(alike) = alike else {
                return Err(no_place(
                    format!("{server} is not a configured instance, and its password was hidden"),
                    "add it to [instances] of compartment.toml, or name it with --backend",
                ));
            };
            with_url(map, url.with_login_of(&alike.url)).await?
        }
        (None, Ok(url)) => with_url(map, url.clone()).await?,
        (None, Err(_)) => Instance::new(server)?,
    };
    Ok(Place::new(format!("index {index}"), connect(&instance).await?, index))
}

/// A numbered database, if the server has that index.
fn numbered(server: Server, index: u32) -> Result<Place> {
    if let Some(databases) = server.info().databases
        && index >= databases
    {
        return Err(no_place(
            format!(
                "{} has no index {index}: it has {databases} (0 to {})",
                server.url(),
                databases.saturating_sub(1)
            ),
            "raise `databases` in its configuration, and restart it",
        ));
    }
    Ok(Place::new(format!("index {index}"), server, index))
}

/// Connects for administration: only to a server, and with a long time-out for large values.
///
/// # Errors
/// [`AdminError::NoPlace`] for an instance in memory; the server's.
pub async fn connect(instance: &Instance) -> Result<Server> {
    if instance.url.scheme() == Scheme::Memory {
        return Err(no_place(
            "this command needs a server, but the configuration says memory://",
            "name one with --backend redis://host:port",
        ));
    }
    let mut config = RedisConfig::for_instance(instance, 1);
    config.response_timeout = config.response_timeout.max(PATIENCE);
    Ok(Server::connect(config).await?)
}

fn no_place(problem: impl Into<String>, hint: &str) -> AdminError {
    AdminError::NoPlace { problem: problem.into(), hint: hint.to_owned() }
}

//! Resolves user input to a place on a server: a database's name, an index, or a URL.

use std::time::Duration;

use compartment::database_map::{Instance, InstanceUrl, Scheme, TlsFiles};
use compartment_admin::Place;
use compartment_redis::{RedisConfig, Server};

use crate::args::General;
use crate::exit_code::{CliError, ExitCode};
use crate::settings::{self, Settings};

/// Time-out of a request: one command on a large value can take longer than a store's request should.
const PATIENCE: Duration = Duration::from_secs(120);

/// Resolves `text`: a name of the database map, an index on the primary instance, or `redis://host:port/index`.
pub(crate) async fn resolve(general: &General, text: &str) -> Result<Place, CliError> {
    let settings = settings::load(general)?;
    resolve_in(&settings, text).await
}

/// Resolves a place with settings that are already loaded.
pub(crate) async fn resolve_in(settings: &Settings, text: &str) -> Result<Place, CliError> {
    if text.contains("://") {
        return of_url(settings, text).await;
    }
    if let Some(contract) = settings.map.database(text) {
        let server = connect(&instance(settings, contract.placement.instance())?).await?;
        let placement = server.info().place(contract.clone()).placement;
        let (index, prefix) = (placement.index(), placement.prefix().to_owned());
        return Ok(Place::new(text, server, index).with_prefix(prefix));
    }
    if let Ok(index) = text.parse::<u32>() {
        return numbered(connect(&primary(settings)?).await?, index);
    }
    let known: Vec<&str> =
        settings.map.databases().iter().map(|contract| contract.name.as_str()).collect();
    Err(CliError::new(
        ExitCode::Configuration,
        format!(
            "there is no database {:?}; known databases: {}",
            InstanceUrl::hide_login(text),
            known.join(", ")
        ),
    )
    .hint("an index (0) or a URL (redis://host:port/0) also works"))
}

/// The instance with this name.
pub(crate) fn instance(settings: &Settings, name: &str) -> Result<Instance, CliError> {
    settings.map.instances().get(name).cloned().ok_or_else(|| {
        CliError::new(ExitCode::Configuration, format!("no instance {name:?} is configured"))
    })
}

/// The instance to which a bare index refers.
pub(crate) fn primary(settings: &Settings) -> Result<Instance, CliError> {
    let instances = settings.map.instances();
    match (instances.get("primary"), instances.len()) {
        (Some(primary), _) => Ok(primary.clone()),
        (None, 1) => instance(settings, instances.keys().next().map_or("", String::as_str)),
        _ => Err(CliError::new(
            ExitCode::Configuration,
            "there are several instances and none is called primary: give the name of a database, or a URL",
        )),
    }
}

async fn of_url(settings: &Settings, text: &str) -> Result<Place, CliError> {
    let url = InstanceUrl::parse(text)?;
    let index = url.index().unwrap_or(0);
    numbered(connect(&with_url(settings, url).await?).await?, index)
}

/// An instance with this URL. If a configured instance has the same address, its other settings are used, such as the
/// TLS files.
pub(crate) async fn with_url(settings: &Settings, url: InstanceUrl) -> Result<Instance, CliError> {
    let mut configured = None;
    for instance in settings.map.instances().values() {
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
pub(crate) async fn of_server(
    settings: &Settings,
    server: &str,
    index: u32,
) -> Result<Place, CliError> {
    let configured: Vec<&Instance> = settings.map.instances().values().collect();
    let named = InstanceUrl::parse(server);
    let written = configured.iter().find(|instance| instance.url.to_string() == server);
    let instance = match (written, &named) {
        (Some(instance), _) => Instance::clone(instance),
        // The written address is used. Only the hidden login is taken from the configured instance with that address.
        (None, Ok(url)) if server.contains("***@") => {
            let alike = configured.iter().find(|instance| instance.url.has_address_of(url));
            let Some(alike) = alike else {
                return Err(CliError::new(
                    ExitCode::Configuration,
                    format!("{server} is not a configured instance, and its password was hidden"),
                )
                .hint("add it to [instances] of compartment.toml, or name it with --backend"));
            };
            with_url(settings, url.with_login_of(&alike.url)).await?
        }
        (None, Ok(url)) => with_url(settings, url.clone()).await?,
        (None, Err(_)) => Instance::new(server)?,
    };
    Ok(Place::new(format!("index {index}"), connect(&instance).await?, index))
}

/// A numbered database, if the server has that index.
fn numbered(server: Server, index: u32) -> Result<Place, CliError> {
    if let Some(databases) = server.info().databases
        && index >= databases
    {
        return Err(CliError::new(
            ExitCode::Configuration,
            format!(
                "{} has no index {index}: it has {databases} (0 to {})",
                server.url(),
                databases.saturating_sub(1)
            ),
        )
        .hint("raise `databases` in its configuration, and restart it"));
    }
    Ok(Place::new(format!("index {index}"), server, index))
}

/// Connects for administration: only to a server, and with a long time-out for large values.
pub(crate) async fn connect(instance: &Instance) -> Result<Server, CliError> {
    if instance.url.scheme() == Scheme::Memory {
        return Err(CliError::new(
            ExitCode::Configuration,
            "this command needs a server, but the configuration says memory://",
        )
        .hint("name one with --backend redis://host:port"));
    }
    let mut config = RedisConfig::for_instance(instance, 1);
    config.response_timeout = config.response_timeout.max(PATIENCE);
    Ok(Server::connect(config).await?)
}

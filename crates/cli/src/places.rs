//! Resolves user input to a place on a server, with the settings of the command line.

use compartment::database_map::Instance;
use compartment_admin::{Place, places};
use compartment_redis::Server;

use crate::args::General;
use crate::exit_code::CliError;
use crate::settings::{self, Settings};

/// Resolves `text`: a name of the database map, an index on the primary instance, or `redis://host:port/index`.
pub(crate) async fn resolve(general: &General, text: &str) -> Result<Place, CliError> {
    let settings = settings::load(general)?;
    resolve_in(&settings, text).await
}

/// Resolves a place with settings that are already loaded.
pub(crate) async fn resolve_in(settings: &Settings, text: &str) -> Result<Place, CliError> {
    Ok(places::resolve(&settings.map, text).await?)
}

/// The instance with this name.
pub(crate) fn instance(settings: &Settings, name: &str) -> Result<Instance, CliError> {
    Ok(places::instance(&settings.map, name)?)
}

/// The instance to which a bare index refers.
pub(crate) fn primary(settings: &Settings) -> Result<Instance, CliError> {
    Ok(places::primary(&settings.map)?)
}

/// The server named in a plan or journal.
pub(crate) async fn of_server(
    settings: &Settings,
    server: &str,
    index: u32,
) -> Result<Place, CliError> {
    Ok(places::of_server(&settings.map, server, index).await?)
}

/// Connects for administration.
pub(crate) async fn connect(instance: &Instance) -> Result<Server, CliError> {
    Ok(places::connect(instance).await?)
}

//! The routes of the configuration.

use compartment::DatabaseMap;
use compartment_admin::{program_names, program_patterns};
use compartment_front::route::Router;

use crate::exit_code::CliError;

/// The router of a map, with the known programs of `analyze`.
pub(super) fn router(map: &DatabaseMap) -> Result<Router, CliError> {
    Router::new(map, &program_patterns).map_err(|error| {
        let named = map.front().routes.iter().flat_map(|route| &route.programs);
        let is_unknown = named.into_iter().any(|name| program_patterns(name).is_none());
        let error = CliError::from(error);
        match is_unknown {
            true => error.hint(format!("known: {}", program_names().join(", "))),
            false => error,
        }
    })
}

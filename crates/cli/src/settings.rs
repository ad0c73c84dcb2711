//! From file, environment and flags to the database map.

use std::path::{Path, PathBuf};

use compartment::{DatabaseMap, DatabaseMapBuilder, Instance, Preset};

use crate::args::General;
use crate::exit_code::{CliError, ExitCode};

/// The file that is read where none is named.
pub(crate) const DEFAULT_FILE: &str = "compartment.toml";

/// The map, and where it came from.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) map: DatabaseMap,
    /// The file, if there was one.
    pub(crate) file: Option<PathBuf>,
}

/// Reads the file (the preset `pipeline` on memory where there is none), then the environment,
/// then the flags: what comes later wins.
pub(crate) fn load(general: &General) -> Result<Settings, CliError> {
    let file = general
        .config
        .clone()
        .or_else(|| Path::new(DEFAULT_FILE).exists().then(|| DEFAULT_FILE.into()));
    let builder = match &file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| CliError::files("read", path, &error))?;
            DatabaseMapBuilder::toml(&text).map_err(|error| in_file(path, &error))?
        }
        None => DatabaseMapBuilder::preset(Preset::Pipeline)
            .instance("primary", Instance::new("memory://")?),
    };
    let builder =
        builder.environment_variables(std::env::vars_os().filter_map(|(name, value)| {
            // A variable that is no text cannot be one of ours.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))?;
    let builder = match &general.backend {
        Some(url) => builder.url(url)?,
        None => builder,
    };
    let map = builder.build().map_err(|error| match &file {
        Some(path) => in_file(path, &error),
        None => error.into(),
    })?;
    Ok(Settings { map, file })
}

fn in_file(path: &Path, error: &compartment::Error) -> CliError {
    CliError::new(ExitCode::Configuration, format!("{}: {}", path.display(), error.message()))
}

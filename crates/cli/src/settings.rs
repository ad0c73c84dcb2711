//! Builds the database map from the file, the environment and the flags.

use std::path::{Path, PathBuf};

use compartment::database_map::Instance;
use compartment::{DatabaseMap, DatabaseMapBuilder, Preset};
use compartment_admin::doctor::WrittenSecret;

use crate::args::General;
use crate::exit_code::{CliError, ExitCode};
use crate::screen;

/// The file that is read if none is named.
pub(crate) const DEFAULT_FILE: &str = "compartment.toml";

/// The variable for `--backend`.
const BACKEND_VARIABLE: &str = "COMPARTMENT_BACKEND";

/// The map and its origin.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) map: DatabaseMap,
    /// The configuration file, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// The source of the primary server's password, as shown to users.
    password_from: String,
}

impl Settings {
    /// The passwords that stand in the file itself.
    pub(crate) fn written_secrets(&self) -> Vec<WrittenSecret> {
        let Some(file) = &self.file else { return Vec::new() };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // Without the environment and the flags, which hold passwords where they belong.
        let Ok(map) = DatabaseMapBuilder::toml(&text).and_then(DatabaseMapBuilder::build) else {
            return Vec::new();
        };
        let with_password = map.instances().iter().filter(|(_, one)| one.url.password().is_some());
        let secret = |(name, _): (&String, &Instance)| WrittenSecret {
            instance: name.clone(),
            file: file.display().to_string(),
            others_may_read: others_may_read(file),
        };
        with_password.map(secret).collect()
    }

    /// If `shown` contains a URL with `***`, says where its password comes from, so that the user can fill it in.
    /// `named` are the databases as typed.
    pub(crate) fn say_whose_password(&self, named: &[&str], shown: &str) {
        if !shown.contains(":***@") {
            return;
        }
        let is_url = named.iter().any(|name| name.contains("://"));
        let source =
            if is_url { "the URL of the command line" } else { self.password_from.as_str() };
        screen::say(format!("*** stands for the password, which comes from {source}"));
    }
}

/// Whether other users of the machine may read a file.
#[cfg(unix)]
fn others_may_read(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|about| about.permissions().mode() & 0o044 != 0)
}

/// Not known: rights are lists there.
#[cfg(not(unix))]
fn others_may_read(_file: &Path) -> bool {
    false
}

/// Whether the URL of `--backend` comes from the environment.
fn is_in_environment(url: &str) -> bool {
    std::env::var(BACKEND_VARIABLE).is_ok_and(|one| one == url)
}

/// The source of the primary server's password: `--backend` overrides the environment, which overrides the file.
fn password_from(general: &General, file: Option<&Path>) -> String {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match (&general.backend, file) {
        (Some(url), _) if is_in_environment(url) => BACKEND_VARIABLE.to_owned(),
        (Some(_), _) => "--backend".to_owned(),
        (None, _) if is_set("REDIS_PASSWORD") => "REDIS_PASSWORD".to_owned(),
        (None, Some(file)) => file.display().to_string(),
        (None, None) => "the environment".to_owned(),
    }
}

/// Loads the file (without one, the preset `pipeline` in memory), then the environment, then the flags; later sources
/// override earlier ones.
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
            // A variable that is not valid UTF-8 is not one of ours.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))?;
    let builder = match &general.backend {
        Some(url) => {
            let by = if is_in_environment(url) { BACKEND_VARIABLE } else { "--backend" };
            builder.url_by(url, by)?
        }
        None => builder,
    };
    let map = builder.build().map_err(|error| match &file {
        Some(path) => in_file(path, &error),
        None => error.into(),
    })?;
    let password_from = password_from(general, file.as_deref());
    Ok(Settings { map, file, password_from })
}

fn in_file(path: &Path, error: &compartment::Error) -> CliError {
    CliError::new(ExitCode::Configuration, format!("{}: {}", path.display(), error.message()))
}

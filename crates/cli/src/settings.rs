//! Builds the database map from the file, the environment and the flags.

use std::path::{Path, PathBuf};

use compartment::database_map::{Instance, Scheme};
use compartment::{DatabaseMap, DatabaseMapBuilder, Preset};
use compartment_admin::doctor::WrittenSecret;

use crate::args::General;
use crate::configuration_file::ConfigurationFile;
use crate::exit_code::{CliError, ExitCode};
use crate::passwords;
use crate::screen::{self, FAINT, STRONG};

/// The variable for `--backend`.
const BACKEND_VARIABLE: &str = "COMPARTMENT_BACKEND";

/// The map and its origin.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) map: DatabaseMap,
    /// The configuration file, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// The passwords that stand in the file itself.
    pub(crate) written_secrets: Vec<WrittenSecret>,
    /// Whether somebody named the file, or there is none.
    pub(crate) is_named: bool,
    /// The source of the primary server's password, as shown to users.
    password_from: String,
}

impl Settings {
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

/// Whether the URL of `--backend` comes from the environment.
fn is_in_environment(url: &str) -> bool {
    std::env::var(BACKEND_VARIABLE).is_ok_and(|one| one == url)
}

/// The source of the primary server's password: the flags override the environment, which overrides the file.
fn password_from(general: &General, file: Option<&Path>, map: &DatabaseMap) -> String {
    let variables = map.overridden().iter().flat_map(|one| one.by.split(", "));
    let variable = variables.into_iter().find(|by| by.starts_with("REDIS_PASSWORD"));
    match (&general.backend, variable, file) {
        _ if general.password_file.is_some() => "--password-file".to_owned(),
        (Some(url), ..) if is_in_environment(url) => BACKEND_VARIABLE.to_owned(),
        (Some(_), ..) => "--backend".to_owned(),
        (None, Some(variable), _) => variable.to_owned(),
        (None, None, Some(file)) => file.display().to_string(),
        (None, None, None) => "the environment".to_owned(),
    }
}

/// Loads the file (without one, the preset `pipeline` in memory), then the environment, then the flags; later sources
/// override earlier ones.
pub(crate) fn load(general: &General) -> Result<Settings, CliError> {
    let file = ConfigurationFile::find(general.config.as_deref())?;
    let builder = match &file {
        Some(file) => {
            DatabaseMapBuilder::toml(&file.text).map_err(|error| in_file(&file.path, &error))?
        }
        None => DatabaseMapBuilder::preset(Preset::Pipeline)
            .instance("primary", Instance::new("memory://")?),
    };
    let (variables, mut unused) = passwords::variables(file.as_ref());
    let mut is_host_given = variables.iter().any(|(name, _)| name == "REDIS_HOST");
    let mut builder = builder.environment_variables(variables)?;
    if let Some(url) = &general.backend {
        let by = if is_in_environment(url) { BACKEND_VARIABLE } else { "--backend" };
        builder = builder.url_by(url, by)?;
        // It overrides the address that the password would have gone to.
        unused.retain(|name| name != passwords::PASSWORD);
        is_host_given = true;
    }
    if let Some(path) = &general.password_file {
        builder = passwords::from_file(builder, path, file.as_ref(), is_host_given)?;
    }
    let map = builder.build().map_err(|error| match &file {
        Some(file) => in_file(&file.path, &error),
        None => error.into(),
    })?;
    let written_secrets = file.as_ref().map_or_else(Vec::new, ConfigurationFile::written_secrets);
    if let Some(file) = &file {
        tell_of_file(file, &written_secrets);
        if map.instances().values().any(|one| one.url.scheme() != Scheme::Memory) {
            passwords::tell_unused(&unused, file);
        }
    }
    let is_named = file.as_ref().is_none_or(|file| file.is_named);
    let file = file.map(|file| file.path);
    let password_from = password_from(general, file.as_deref(), &map);
    Ok(Settings { map, file, written_secrets, is_named, password_from })
}

/// Says which file was taken if nobody named it, and warns of passwords in it that others can read.
fn tell_of_file(file: &ConfigurationFile, secrets: &[WrittenSecret]) {
    if !file.is_named {
        let path = file.path.display();
        screen::remark_once(format!("{FAINT}configuration: {path} of this folder{FAINT:#}"));
    }
    let readable = secrets.iter().find(|secret| secret.others_may_read);
    if let Some(WrittenSecret { instance, file, .. }) = readable {
        screen::remark_once(format!(
            "{STRONG}note:{STRONG:#} {file} holds the password of {instance}, and other users can read it: \
             chmod 600 {file}"
        ));
    }
}

fn in_file(path: &Path, error: &compartment::Error) -> CliError {
    CliError::new(ExitCode::Configuration, format!("{}: {}", path.display(), error.message()))
}

//! Passwords from the environment and from a file: where they may go.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use compartment::DatabaseMapBuilder;

use crate::configuration_file::{ConfigurationFile, others_may_read};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, STRONG};

/// The variable with the password of the primary instance. With `_` and a name behind it, it is that of any instance.
pub(crate) const PASSWORD: &str = "REDIS_PASSWORD";
/// The longest password in a file, in bytes.
const MAX_PASSWORD: u64 = 64 * 1024;

/// The variables that override the configuration. Passwords are left out if only a file that nobody named says which
/// servers would get them; then their names are the second value.
pub(crate) fn variables(file: Option<&ConfigurationFile>) -> (Vec<(String, String)>, Vec<String>) {
    let all = std::env::vars_os().filter_map(|(name, value)| {
        // A variable that is not valid UTF-8 is not one of ours.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    let all: Vec<(String, String)> = all.filter(|(_, value)| !value.is_empty()).collect();
    if file.is_none_or(|file| file.is_named) {
        return (all, Vec::new());
    }
    // A host of the environment is the primary instance's, and the password without a name too.
    let has_host = all.iter().any(|(name, _)| name == "REDIS_HOST");
    let is_kept = |name: &str| match name.strip_prefix(PASSWORD) {
        Some("") => has_host,
        Some(rest) => !rest.starts_with('_'),
        None => true,
    };
    let (kept, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| is_kept(name));
    (kept, left.into_iter().map(|(name, _)| name).collect())
}

/// Says which passwords were not used because nobody named the file with the servers.
pub(crate) fn tell_unused(names: &[String], file: &ConfigurationFile) {
    if !names.is_empty() {
        screen::remark_once(format!(
            "{STRONG}note:{STRONG:#} {} is not sent to the servers of {1}, which was found and not named: use \
             --config {1} or COMPARTMENT_CONFIG",
            names.join(", "),
            file.path.display()
        ));
    }
}

/// Sets the password that stands in `path` for the primary instance.
pub(crate) fn from_file(
    builder: DatabaseMapBuilder,
    path: &Path,
    file: Option<&ConfigurationFile>,
    is_host_given: bool,
) -> Result<DatabaseMapBuilder, CliError> {
    if let Some(file) = file.filter(|file| !file.is_named && !is_host_given) {
        let what = format!(
            "--password-file is not sent to the servers of {}, which was found and not named",
            file.path.display()
        );
        return Err(CliError::new(ExitCode::Configuration, what)
            .hint(format!("name it too: --config {}", file.path.display())));
    }
    let password = secret_in(path, "password")?;
    Ok(builder.password_by(&password, "--password-file")?)
}

/// The only line of a file that holds a secret: a `password`, a `token`.
pub(crate) fn secret_in(path: &Path, what: &str) -> Result<String, CliError> {
    let failed = |error: std::io::Error| CliError::files("read", path, &error);
    let opened = File::open(path).map_err(failed)?;
    if others_may_read(&opened.metadata().map_err(failed)?) {
        screen::remark_once(format!(
            "{STRONG}note:{STRONG:#} other users can read the {what} in {0}: chmod 600 {0}",
            path.display()
        ));
    }
    let mut text = String::new();
    opened.take(MAX_PASSWORD).read_to_string(&mut text).map_err(failed)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() || secret.contains('\n') {
        let what = format!("{} must have the {what} as its only line", path.display());
        return Err(CliError::new(ExitCode::Configuration, what));
    }
    Ok(secret.to_owned())
}

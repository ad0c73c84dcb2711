//! The passwords of the front's own users.

use compartment::DatabaseMap;
use compartment_front::Passwords;

use crate::exit_code::{CliError, ExitCode};
use crate::passwords::secret_in;

/// Reads them from the variables and the files that the map names.
pub(super) fn passwords(map: &DatabaseMap) -> Result<Passwords, CliError> {
    let mut users = Vec::new();
    for user in &map.front().users {
        let password = match (&user.password_env, &user.password_file) {
            (Some(variable), _) => {
                std::env::var(variable).ok().filter(|text| !text.is_empty()).ok_or_else(|| {
                    let what = format!(
                        "the password of the front's user {} is expected in {variable}",
                        user.name
                    );
                    CliError::new(ExitCode::Configuration, what)
                })?
            }
            (None, Some(path)) => secret_in(path, "password")?,
            (None, None) => {
                let what = format!("the front's user {} has no password", user.name);
                return Err(CliError::new(ExitCode::Configuration, what));
            }
        };
        users.push((user.name.clone(), password));
    }
    Ok(Passwords::new(users))
}

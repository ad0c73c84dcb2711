//! The URL of a database as a Python expression, for settings modules.

use compartment::{Contract, DatabaseMap};

use super::address::{Address, instances_in_use, path_in_url};
use crate::exit_code::CliError;

/// The URL; the password is a variable declared by [`passwords`].
pub(super) fn url(map: &DatabaseMap, contract: &Contract) -> Result<String, CliError> {
    let at = Address::of(map, contract)?;
    let (mark, login) = match &at.password_variable {
        None => ("", String::new()),
        Some(variable) => ("f", format!("{}:{{{}}}@", at.user_in_url(), short(variable))),
    };
    let (scheme, host, port) = (at.scheme(), at.host_in_url(), at.port);
    let (index, query) = (contract.placement.index(), query(&at));
    Ok(format!("{mark}\"{scheme}://{login}{host}:{port}/{index}{query}\""))
}

/// The query of the URL. Celery refuses a TLS URL that does not say whether to check the certificate.
fn query(at: &Address<'_>) -> String {
    if !at.is_tls {
        return String::new();
    }
    let files = at.files_as(["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"]);
    let files = files.iter().map(|(name, path)| format!("&{name}={}", path_in_url(path)));
    format!("?ssl_cert_reqs=required{}", files.collect::<String>())
}

/// The lines that read the passwords from the environment; empty if no server has a login.
pub(super) fn passwords(map: &DatabaseMap) -> Result<String, CliError> {
    let mut lines = String::new();
    for name in instances_in_use(map) {
        if let Some(variable) = Address::of_instance(map, name)?.password_variable {
            let short = short(&variable);
            lines += &format!("{short} = quote(os.environ[\"{variable}\"], safe=\"\")\n");
        }
    }
    if lines.is_empty() {
        return Ok(lines);
    }
    Ok(format!("import os\nfrom urllib.parse import quote\n\n{lines}\n"))
}

fn short(variable: &str) -> &str {
    variable.trim_start_matches("REDIS_")
}

//! A configuration class on Spring Data Redis that gives the connections of each database.

use compartment::DatabaseMap;

use super::address::{Address, instances_in_use, seconds, usual};
use super::literal::{double, fill};
use crate::exit_code::{CliError, ExitCode};

const CLASS: &str = include_str!("templates/RedisDatabases.java");

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let values = [
        ("INSTANCES", instances(map)?),
        ("DATABASES", databases(map)),
        ("DEFAULT", double(&usual(map)?.name)),
    ];
    Ok(fill(CLASS, &values))
}

fn instances(map: &DatabaseMap) -> Result<String, CliError> {
    let mut lines = String::new();
    for name in instances_in_use(map) {
        let at = Address::of_instance(map, name)?;
        if !at.files_as(["ca", "certificate", "key"]).is_empty() {
            let message = format!(
                "instance {name:?} has files for TLS, which this class cannot name: Java reads \
                 certificates from its own trust store"
            );
            return Err(CliError::new(ExitCode::Configuration, message).hint(
                "import the authority with keytool, and export from a file without tls_ca, \
                 tls_certificate and tls_key",
            ));
        }
        lines += &format!(
            "        INSTANCES.put({}, new Instance({}, {}, {}, {}, {}));\n",
            double(name),
            double(at.host),
            at.port,
            at.is_tls,
            text_or_null(Some(at.user).filter(|user| !user.is_empty())),
            text_or_null(at.password_variable.as_deref()),
        );
    }
    Ok(lines)
}

fn databases(map: &DatabaseMap) -> String {
    let mut lines = String::new();
    for contract in map.databases() {
        let placement = &contract.placement;
        let ttl = contract.default_ttl.map(seconds);
        let ttl = ttl.map_or("null".to_owned(), |ttl| format!("Duration.ofSeconds({ttl})"));
        lines += &format!(
            "        DATABASES.put({}, new Database({}, {}, {}, {}, {ttl}));\n",
            double(&contract.name),
            double(placement.instance()),
            placement.index(),
            double(placement.prefix()),
            contract.kind.requires_ttl(),
        );
    }
    lines
}

fn text_or_null(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), double)
}

//! A Python module on redis-py that gives the client of each database.

use compartment::DatabaseMap;

use super::address::{Address, instance, instances_in_use, seconds, usual};
use super::literal::{double, fill, number_or};
use crate::exit_code::CliError;

const MODULE: &str = include_str!("templates/redis_databases.py");

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let values = [
        ("INSTANCES", instances(map)?),
        ("DATABASES", databases(map)),
        ("KEYS", keys(map)),
        ("ENVIRONMENT", double(map.environment())),
        ("DEFAULT", double(&usual(map)?.name)),
    ];
    Ok(fill(MODULE, &values))
}

fn instances(map: &DatabaseMap) -> Result<String, CliError> {
    let mut lines = String::new();
    for name in instances_in_use(map) {
        let at = Address::of_instance(map, name)?;
        let mut fields = vec![
            ("host", double(at.host)),
            ("port", at.port.to_string()),
            ("max_connections", instance(map, name)?.max_connections.to_string()),
        ];
        if !at.user.is_empty() {
            fields.push(("username", double(at.user)));
        }
        if let Some(variable) = &at.password_variable {
            fields.push(("password_variable", double(variable)));
        }
        if at.is_tls {
            fields.push(("ssl", "True".to_owned()));
            let files = at.files_as(["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"]);
            fields.extend(files.into_iter().map(|(name, path)| (name, double(&path))));
        }
        lines += &format!("    {}: {{\n", double(name));
        for (field, value) in fields {
            lines += &format!("        \"{field}\": {value},\n");
        }
        lines += "    },\n";
    }
    Ok(lines)
}

fn databases(map: &DatabaseMap) -> String {
    let mut lines = String::new();
    for contract in map.databases() {
        let placement = &contract.placement;
        lines += &format!(
            "    {}: {{\"instance\": {}, \"index\": {}, \"prefix\": {}, \"needs_ttl\": {}, \"ttl\": {}}},\n",
            double(&contract.name),
            double(placement.instance()),
            placement.index(),
            double(placement.prefix()),
            if contract.kind.requires_ttl() { "True" } else { "False" },
            number_or("None", contract.default_ttl.map(seconds)),
        );
    }
    lines
}

fn keys(map: &DatabaseMap) -> String {
    let mut lines = String::new();
    for (name, rule) in map.keys() {
        lines += &format!(
            "    {}: {{\"database\": {}, \"template\": {}, \"ttl\": {}}},\n",
            double(name),
            double(&rule.database),
            double(&rule.template.to_string()),
            number_or("None", map.ttl_of(name).map(seconds)),
        );
    }
    lines
}

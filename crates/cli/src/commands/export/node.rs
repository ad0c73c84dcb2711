//! A Node module on ioredis that gives the client of each database.

use compartment::DatabaseMap;

use super::address::{Address, instances_in_use, seconds, usual};
use super::literal::{double, fill, number_or};
use crate::exit_code::CliError;

const MODULE: &str = include_str!("templates/redis-databases.js");

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let instances = instances(map)?;
    let reads_files = instances.contains("readFileSync(");
    let requires = if reads_files { "const { readFileSync } = require('node:fs');" } else { "" };
    let values = [
        ("REQUIRES", requires.to_owned()),
        ("INSTANCES", instances),
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
        lines += &format!("  {}: {{ host: {}, port: {}", double(name), double(at.host), at.port);
        if !at.user.is_empty() {
            lines += &format!(", username: {}", double(at.user));
        }
        if let Some(variable) = &at.password_variable {
            lines += &format!(", passwordVariable: {}", double(variable));
        }
        if at.is_tls {
            let files = at.files_as(["ca", "cert", "key"]);
            let read =
                |(name, path): &(&str, String)| format!("{name}: readFileSync({})", double(path));
            let files = files.iter().map(read).collect::<Vec<_>>().join(", ");
            lines += &format!(", tls: {{{files}}}");
        }
        lines += " },\n";
    }
    Ok(lines)
}

fn databases(map: &DatabaseMap) -> String {
    let mut lines = String::new();
    for contract in map.databases() {
        let placement = &contract.placement;
        lines += &format!(
            "  [{}, {{ instance: {}, index: {}, prefix: {}, needsTtl: {}, ttl: {} }}],\n",
            double(&contract.name),
            double(placement.instance()),
            placement.index(),
            double(placement.prefix()),
            contract.kind.requires_ttl(),
            number_or("null", contract.default_ttl.map(seconds)),
        );
    }
    lines
}

fn keys(map: &DatabaseMap) -> String {
    let mut lines = String::new();
    for (name, rule) in map.keys() {
        lines += &format!(
            "  [{}, {{ database: {}, template: {}, ttl: {} }}],\n",
            double(name),
            double(&rule.database),
            double(&rule.template.to_string()),
            number_or("null", map.ttl_of(name).map(seconds)),
        );
    }
    lines
}

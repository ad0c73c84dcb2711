//! A Ruby module on redis-rb that gives the client of each database, and Sidekiq its options.

use compartment::DatabaseMap;

use super::address::{Address, instances_in_use, named, seconds, usual};
use super::literal::{fill, number_or, single};
use crate::exit_code::CliError;

const MODULE: &str = include_str!("templates/redis_databases.rb");

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let values = [
        ("INSTANCES", instances(map)?),
        ("DATABASES", databases(map)),
        ("KEYS", keys(map)),
        ("ENVIRONMENT", single(map.environment())),
        ("DEFAULT", single(&usual(map)?.name)),
        ("SIDEKIQ", sidekiq(map)),
    ];
    Ok(fill(MODULE, &values))
}

fn instances(map: &DatabaseMap) -> Result<String, CliError> {
    let mut lines = String::new();
    for name in instances_in_use(map) {
        let at = Address::of_instance(map, name)?;
        lines +=
            &format!("    {} => {{ host: {}, port: {}", single(name), single(at.host), at.port);
        if !at.user.is_empty() {
            lines += &format!(", username: {}", single(at.user));
        }
        if let Some(variable) = &at.password_variable {
            lines += &format!(", password_variable: {}", single(variable));
        }
        if at.is_tls {
            lines += ", ssl: true";
            let files = at.files_as(["ca_file", "cert", "key"]);
            let files = files.iter().map(|(name, path)| format!("{name}: {}", single(path)));
            let files = files.collect::<Vec<_>>().join(", ");
            if !files.is_empty() {
                lines += &format!(", ssl_params: {{ {files} }}");
            }
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
            "    {} => {{ instance: {}, index: {}, prefix: {}, needs_ttl: {}, ttl: {} }},\n",
            single(&contract.name),
            single(placement.instance()),
            placement.index(),
            single(placement.prefix()),
            contract.kind.requires_ttl(),
            number_or("nil", contract.default_ttl.map(seconds)),
        );
    }
    lines
}

fn keys(map: &DatabaseMap) -> String {
    let mut lines = String::new();
    for (name, rule) in map.keys() {
        lines += &format!(
            "    {} => {{ database: {}, template: {}, ttl: {} }},\n",
            single(name),
            single(&rule.database),
            single(&rule.template.to_string()),
            number_or("nil", map.ttl_of(name).map(seconds)),
        );
    }
    lines
}

/// The usage example for Sidekiq. Sidekiq has no prefixes, so a broker with a prefix is left out.
fn sidekiq(map: &DatabaseMap) -> String {
    let broker = named(map, &["broker", "queue", "main"]);
    let Some(broker) = broker.filter(|broker| broker.placement.prefix().is_empty()) else {
        return String::new();
    };
    let name = single(&broker.name);
    format!(
        "\n# config/initializers/sidekiq.rb:\n\
         # Sidekiq.configure_server {{ |config| config.redis = RedisDatabases.options({name}) }}\n\
         # Sidekiq.configure_client {{ |config| config.redis = RedisDatabases.options({name}) }}\n"
    )
}

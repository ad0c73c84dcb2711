//! Environment variables.

use compartment::DatabaseMap;

use super::address::{Address, instance, instances_in_use, variable};
use crate::exit_code::{CliError, ExitCode};

pub(super) fn render(map: &DatabaseMap) -> Result<String, CliError> {
    let used = instances_in_use(map);
    if used.len() > 1 {
        return Err(CliError::new(
            ExitCode::Configuration,
            "the databases are on several servers, but these variables name one",
        ));
    }
    let mut lines = Vec::new();
    if let Some(name) = used.first() {
        let at = Address::of_instance(map, name)?;
        let instance = instance(map, name)?;
        lines.push(format!("REDIS_HOST={}", at.host));
        lines.push(format!("REDIS_PORT={}", at.port));
        if let Some(variable) = at.password_variable {
            lines.push(format!("# {variable} is not printed: set it where the program runs"));
        }
        lines.push(format!("REDIS_MAX_CONNECTIONS={}", instance.max_connections));
        if let Some(bytes) = instance.expected_max_memory {
            lines.push(format!("REDIS_MAX_MEMORY_MB={}", bytes / (1024 * 1024)));
        }
        if let Some(policy) = &instance.expected_eviction_policy {
            lines.push(format!("REDIS_EVICTION_POLICY={policy}"));
        }
    }
    for contract in map.databases() {
        lines.push(format!("REDIS_DB_{}={}", variable(&contract.name), contract.placement.index()));
    }
    if map.environment() != "default" {
        lines.push(format!("ENVIRONMENT={}", map.environment()));
    }
    Ok(lines.join("\n"))
}

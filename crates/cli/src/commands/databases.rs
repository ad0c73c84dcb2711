//! `compartment databases`: the database map, its contracts and its contents.

use compartment::usage::Usage;
use compartment::{Database, ErrorKind, Placement};
use serde_json::json;

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, FAINT, STRONG};
use crate::settings;

pub(crate) async fn run(
    general: &General,
    command: &args::Databases,
) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let databases = compartment::open(settings.map).await?;
    let shown: Vec<&Database> = match &command.name {
        Some(name) => vec![databases.get(name)?],
        None => databases
            .map()
            .databases()
            .iter()
            .filter_map(|contract| databases.get(&contract.name).ok())
            .collect(),
    };
    let mut rows = Vec::new();
    for database in shown {
        match database.usage().usage().await {
            Ok(usage) => rows.push((database, Some(usage))),
            // A user without rights to one database still sees the others.
            Err(error) if error.kind() == ErrorKind::Permission => {
                screen::remark(format!("{STRONG}note:{STRONG:#} failed to {error}"));
                rows.push((database, None));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if command.json {
        let list: Vec<_> = rows.iter().map(|(database, usage)| as_json(database, *usage)).collect();
        let report = json!({ "instances": databases.locations(), "databases": list });
        screen::say_json(&report);
        return Ok(ExitCode::Success);
    }
    let mut table = screen::table(
        &["database", "place", "kind", "ttl", "budget", "keys", "bytes"],
        &[3, 4, 5, 6],
    );
    for (database, usage) in &rows {
        let contract = database.contract();
        table.add_row([
            contract.name.clone(),
            contract.placement.to_string(),
            contract.kind.to_string(),
            screen::ttl(contract.default_ttl),
            contract.memory_budget.map_or_else(|| "–".into(), compartment_admin::size),
            usage.map_or_else(|| "–".into(), |usage| screen::count(usage.keys)),
            usage.map_or_else(|| "–".into(), size),
        ]);
    }
    screen::say_lines(table.to_string());
    for (name, location) in databases.locations() {
        screen::say(format!("{STRONG}{name}{STRONG:#}  {location}"));
    }
    if rows.iter().filter_map(|(_, usage)| *usage).any(|usage| !usage.is_exact && usage.keys > 0) {
        screen::say(format!("{FAINT}~ estimated from a sample of keys{FAINT:#}"));
    }
    Ok(ExitCode::Success)
}

/// A size in bytes, marked with `~` if it is an estimate.
pub(crate) fn size(usage: Usage) -> String {
    let mark = if usage.is_exact || usage.keys == 0 { "" } else { "~" };
    format!("{mark}{}", compartment_admin::size(usage.bytes))
}

fn as_json(database: &Database, usage: Option<Usage>) -> serde_json::Value {
    let contract = database.contract();
    let prefix = match &contract.placement {
        Placement::Prefix { prefix, .. } => Some(prefix),
        _ => None,
    };
    json!({
        "name": contract.name,
        "instance": contract.placement.instance(),
        "index": contract.placement.index(),
        "prefix": prefix,
        "kind": contract.kind,
        "default_ttl_ms": contract.default_ttl.map(|ttl| ttl.as_millis() as u64),
        "memory_budget_bytes": contract.memory_budget,
        "shared": contract.is_shared,
        "keys": usage.map(|usage| usage.keys),
        "bytes": usage.map(|usage| usage.bytes),
        "bytes_are_exact": usage.map(|usage| usage.is_exact),
    })
}

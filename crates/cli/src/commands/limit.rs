//! `compartment limit`: the memory limit and the eviction policy of a server.

use std::time::Duration;

use compartment_admin::{Deployment, LimitOptions, LimitReport, MemorySettings, limit, size};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode, code_of};
use crate::screen::{self, STRONG};
use crate::settings;

/// A request takes the server longer than this only when it is in trouble.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn run(general: &General, command: args::Limit) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let mut options = LimitOptions::default();
    options.max_memory = command.max_memory;
    options.policy.clone_from(&command.policy);
    options.apply = command.apply;
    options.below_usage = command.below_usage;
    let deployment = Deployment::connect(&settings.map, RESPONSE_TIMEOUT).await;
    let (name, server) = chosen(&deployment, command.instance.as_deref())?;
    let report = limit(server, &options).await?;
    if command.json {
        screen::say(serde_json::to_string_pretty(&report).unwrap_or_default());
    } else {
        show(name, &report);
    }
    Ok(if report.refusals.is_empty() { ExitCode::Success } else { ExitCode::Unsafe })
}

/// The instance of that name; without a name `primary`, or the only one.
fn chosen<'a>(
    deployment: &'a Deployment,
    name: Option<&str>,
) -> Result<(&'a str, &'a compartment_admin::DeployedServer), CliError> {
    let all = &deployment.instances;
    let wanted = name.unwrap_or("primary");
    let found = all.iter().find(|one| one.name == wanted);
    let only = all.first().filter(|_| name.is_none() && all.len() == 1);
    let Some(instance) = found.or(only) else {
        let known: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let what = format!("no server {wanted:?} is configured; known: {}", known.join(", "));
        return Err(CliError::new(ExitCode::Configuration, what));
    };
    match &instance.server {
        Ok(server) => Ok((&instance.name, server)),
        Err(error) => Err(CliError::new(code_of(error.kind()), format!("failed to {error}"))),
    }
}

fn show(instance: &str, report: &LimitReport) {
    let verb = if report.applied { "is" } else { "would be" };
    let limit = |settings: &MemorySettings| match settings.max_memory {
        0 => format!("no limit, {}", settings.policy),
        bytes => format!("{}, {}", size(bytes), settings.policy),
    };
    for node in &report.nodes {
        let used =
            node.used_memory.map_or_else(String::new, |bytes| format!(" (uses {})", size(bytes)));
        screen::say(format!(
            "{STRONG}{instance}{STRONG:#} {}: was {}, {verb} {}{used}",
            node.location,
            limit(&node.before),
            limit(&node.after)
        ));
    }
    for note in &report.notes {
        screen::say(screen::wrapped(&format!("note: {note}")));
    }
    for refusal in &report.refusals {
        screen::say(screen::wrapped(&format!(
            "{}refused{:#}: {refusal}",
            screen::BAD,
            screen::BAD
        )));
    }
    let Some(node) = report.nodes.first().filter(|node| node.before != node.after) else { return };
    if report.applied {
        screen::remark(format!(
            "back: compartment limit --instance {instance} --max-memory {} --policy {} --below-usage --apply",
            node.before.max_memory, node.before.policy
        ));
    } else if report.refusals.is_empty() {
        screen::remark("nothing was changed; --apply sets them");
    }
}

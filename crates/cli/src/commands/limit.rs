//! `compartment limit`: the memory limit and the eviction policy of a server.

use std::time::Duration;

use compartment_admin::{
    DeployedServer, LimitOptions, LimitReport, MemorySettings, limit, places, size,
};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
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
    let (name, instance) = places::server(&settings.map, command.instance.as_deref())?;
    let server = DeployedServer::connect(&settings.map, name, instance, RESPONSE_TIMEOUT).await?;
    let report = limit(&server, &options).await?;
    if command.json {
        screen::say_json(&report);
    } else {
        show(name, &report);
    }
    Ok(if report.refusals.is_empty() { ExitCode::Success } else { ExitCode::Unsafe })
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
        screen::say_lines(screen::wrapped(&format!("note: {note}")));
    }
    screen::say_refusals(&report.refusals);
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

//! `compartment expire`: shortens the TTLs of the keys of a template or a database.

use compartment_admin::{ExpireOptions, ExpireReport, expire};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::screen::{self, STRONG};
use crate::{places, settings};

pub(crate) async fn run(general: &General, command: args::Expire) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let mut options = ExpireOptions::new(command.at_most);
    options.patterns.clone_from(&command.pattern);
    options.limits = command.load.into();
    options.apply = command.apply;
    let database = match &command.template {
        None => command.database.unwrap_or_default(),
        Some(name) => {
            let rule = settings.map.keys().get(name).ok_or_else(|| unknown(&settings, name))?;
            options.patterns = vec![rule.template.glob()];
            rule.database.clone()
        }
    };
    let place = places::resolve_in(&settings, &database).await?;
    let progress = KeyProgress::new();
    let report = expire(&place, &settings.map, &options, &progress).await;
    progress.clear();
    let report = report?;
    if command.json {
        screen::say_json(&report);
    } else {
        show(&report, &screen::ttl(Some(command.at_most)));
    }
    Ok(if report.refusals.is_empty() { ExitCode::Success } else { ExitCode::Unsafe })
}

fn unknown(settings: &settings::Settings, name: &str) -> CliError {
    let known: Vec<&str> = settings.map.keys().keys().map(String::as_str).collect();
    let what = format!("there is no template {name:?} in [keys]; known: {}", known.join(", "));
    CliError::new(ExitCode::Configuration, what)
}

fn show(report: &ExpireReport, at_most: &str) {
    let count = screen::count;
    let name = &report.database;
    let found = format!(
        "{STRONG}{name}{STRONG:#}: of {}, {} with a TTL above {at_most}, {} without a TTL",
        screen::counted(report.seen, "key"),
        count(report.longer),
        count(report.without)
    );
    screen::say(found);
    if report.applied {
        screen::say(format!("{} changed to {at_most}", screen::counted(report.changed, "TTL")));
    }
    screen::say_refusals(&report.refusals);
    if !report.applied && report.refusals.is_empty() && report.longer + report.without > 0 {
        screen::remark("nothing was changed; --apply shortens them");
    }
}

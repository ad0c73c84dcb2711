//! `compartment doctor`: findings as a table with their cures, as JSON, and as an exit code.

use std::time::Duration;

use compartment::database_map::Scheme;
use compartment_admin::Deployment;
use compartment_admin::doctor::{
    DoctorOptions, Examination, Finding, InstanceSettings, InstanceUsers, Severity, examine,
    settings as settings_for, users,
};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, BAD, FAINT, GOOD, STRONG};
use crate::settings::{self, Settings};
use crate::table::Cell;

/// A server that does not answer a small question for this long is not well.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(general: &General, command: args::Doctor) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    if settings.map.instances().values().all(|one| one.url.scheme() == Scheme::Memory) {
        return Err(CliError::new(
            ExitCode::Configuration,
            "this command needs a server, but the configuration says memory://",
        )
        .hint("name one with --backend redis://host:port"));
    }
    let deployment = Deployment::connect(&settings.map, PATIENCE).await;
    if command.emit_acl || command.emit_config {
        emit(&deployment, &command).await?;
        return Ok(ExitCode::Success);
    }
    let examination = examine(&deployment, &options(&settings, &command)).await;
    match command.json {
        true => screen::say_json(&examination),
        false => show(&examination, command.sample),
    }
    let worst = examination.worst().filter(|severity| command.fail_on.counts(*severity));
    Ok(match worst {
        None => ExitCode::Success,
        Some(Severity::Notice) => ExitCode::FoundNotice,
        Some(Severity::Warning) => ExitCode::FoundWarning,
        Some(_) => ExitCode::FoundCritical,
    })
}

fn options(settings: &Settings, command: &args::Doctor) -> DoctorOptions {
    let mut options = DoctorOptions::default();
    options.sample = command.sample as usize;
    options.writes_canary = command.canary;
    options.written_secrets = settings.written_secrets.clone();
    options
}

fn show(examination: &Examination, sample: u32) {
    if !examination.findings.is_empty() {
        overview(&examination.findings);
        examination.findings.iter().for_each(details);
        screen::say("");
    }
    for part in &examination.unknown {
        screen::remark(format!("{STRONG}note:{STRONG:#} not known: {}", printable(part)));
    }
    let (style, found) = match examination.findings.len() {
        0 => (GOOD, "no finding".to_owned()),
        count => (STRONG, plural(count, "finding")),
    };
    screen::say(format!(
        "{style}{found}{style:#} in {} on {}",
        plural(examination.databases, "database"),
        plural(examination.instances, "instance"),
    ));
    screen::say(format!(
        "{FAINT}{} keys looked at, up to {} of each database{FAINT:#}",
        screen::count(examination.keys_looked_at),
        screen::count(sample.into())
    ));
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn overview(findings: &[Finding]) {
    let mut table = screen::table(&["severity", "code", "where", "keys", "bytes"], &[3, 4]);
    for one in findings {
        let dash = || "–".to_owned();
        table.add_row([
            Cell::styled(&one.severity.to_string(), style(one.severity)),
            Cell::from(one.code.as_str()),
            Cell::from(place(one)),
            Cell::from(one.key_count.map_or_else(dash, screen::count)),
            Cell::from(one.bytes.map_or_else(dash, compartment_admin::size)),
        ]);
    }
    screen::say_lines(table.to_string());
}

/// The instance with the first database; the details name all.
fn place(one: &Finding) -> String {
    match one.databases.as_slice() {
        [] => one.instance.clone(),
        [database] => format!("{}: {database}", one.instance),
        [database, rest @ ..] => format!("{}: {database} +{}", one.instance, rest.len()),
    }
}

fn style(severity: Severity) -> screen::Style {
    match severity {
        Severity::Critical => BAD,
        Severity::Warning => STRONG,
        _ => FAINT,
    }
}

fn details(one: &Finding) {
    let style = style(one.severity);
    let line = |text: &str| screen::indented(&printable(text), "  ", "    ");
    let databases = match one.databases.as_slice() {
        [] => String::new(),
        databases => format!(": {}", databases.join(", ")),
    };
    screen::say_lines(format!("\n{style}{}{style:#} {}", one.severity, one.code));
    screen::say_lines(line(&format!("Where: {}{databases}", one.instance)));
    screen::say_lines(line(&one.what));
    screen::say_lines(line(&format!("Why: {}", one.why)));
    screen::say_lines(line(&format!("Cure: {}", one.cure)));
    if !one.keys.is_empty() {
        screen::say_lines(line(&format!("Keys: {}", one.keys.join(", "))));
    }
}

/// Words of servers and of keys cannot steer the terminal.
fn printable(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(compartment_admin::printable).collect();
    words.join(" ")
}

/// Prints lines for the servers instead of findings.
async fn emit(deployment: &Deployment, command: &args::Doctor) -> Result<(), CliError> {
    for one in &deployment.instances {
        if let Err(error) = &one.server {
            return Err(error.clone().into());
        }
    }
    if command.emit_acl {
        let all = users(deployment);
        return say_lines(command.json, &all, |one: &InstanceUsers| {
            let head = format!("{} ({})", one.instance, one.address);
            (std::iter::once(head).chain(one.notes.iter().cloned()).collect(), one.lines.clone())
        });
    }
    let all = settings_for(deployment).await;
    say_lines(command.json, &all, |one: &InstanceSettings| {
        let head = format!("{} ({}): {}", one.instance, one.address, one.databases.join(", "));
        (std::iter::once(head).chain(one.notes.iter().cloned()).collect(), one.lines.clone())
    })
}

/// Comments and lines of each instance.
fn say_lines<T: serde::Serialize>(
    json: bool,
    all: &[T],
    read: impl Fn(&T) -> (Vec<String>, Vec<String>),
) -> Result<(), CliError> {
    if json {
        screen::say_json(&all);
        return Ok(());
    }
    for one in all {
        let (comments, lines) = read(one);
        comments.iter().for_each(|text| screen::say_lines(screen::indented(text, "# ", "#   ")));
        lines.iter().for_each(screen::say);
    }
    Ok(())
}

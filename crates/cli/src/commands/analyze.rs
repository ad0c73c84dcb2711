//! `compartment analyze`: the contents of a database, the programs that write them, and their memory.

use std::fmt::Write;
use std::sync::Arc;

use compartment_admin::{
    Analysis, AnalyzeOptions, Bucket, KeyGroupReport, Measure, Memory, Place, analyze,
    analyze_dump, keyspace,
};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::settings::Settings;
use crate::singles::Singles;
use crate::{places, screen, settings};

/// Groups shown in the table; the JSON has all of them.
const SHOWN_GROUPS: usize = 30;

pub(crate) async fn run(general: &General, command: args::Analyze) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let mut options = AnalyzeOptions::default();
    options.exact = command.exact;
    options.limits = command.load.into();
    options.top = command.top;
    options.look_at_values = command.look_at_values;
    options.rules = settings.map.keys().clone();
    let progress = Arc::new(KeyProgress::new());
    let result = match &command.rdb {
        Some(_) => of_dump(&command, options, &progress).await,
        None => of_servers(&settings, &command, &options, &progress).await,
    };
    progress.clear();
    let found = result?;
    if command.json {
        let whole = serde_json::json!({ "databases": found });
        screen::say_json(&whole);
        return Ok(ExitCode::Success);
    }
    if found.is_empty() {
        screen::say("no keys");
    }
    for (at, analysis) in found.iter().enumerate() {
        if at > 0 {
            screen::say("");
        }
        show(analysis);
    }
    let servers: String = found.iter().map(|one| one.source.server.as_str()).collect();
    let named = command.database.as_deref().unwrap_or_default();
    settings.say_whose_password(&[named], &servers);
    Ok(ExitCode::Success)
}

async fn of_servers(
    settings: &Settings,
    command: &args::Analyze,
    options: &AnalyzeOptions,
    progress: &Arc<KeyProgress>,
) -> Result<Vec<Analysis>, CliError> {
    let places = match &command.database {
        Some(text) => vec![places::resolve_in(settings, text).await?],
        None => all_places(settings).await?,
    };
    let mut found = Vec::with_capacity(places.len());
    for place in places {
        found.push(analyze(&place, options, progress.as_ref()).await?);
    }
    Ok(found)
}

/// Every numbered database of the primary server that has keys.
async fn all_places(settings: &Settings) -> Result<Vec<Place>, CliError> {
    let server = places::connect(&places::primary(settings)?).await?;
    let first = Place::new("index 0", server.clone(), 0);
    let filled = keyspace(&first).await?;
    Ok(filled
        .into_keys()
        .map(|index| Place::new(format!("index {index}"), server.clone(), index))
        .collect())
}

async fn of_dump(
    command: &args::Analyze,
    options: AnalyzeOptions,
    progress: &Arc<KeyProgress>,
) -> Result<Vec<Analysis>, CliError> {
    let only = match &command.database {
        None => None,
        Some(text) => Some(text.parse::<u32>().map_err(|_| {
            CliError::new(
                ExitCode::Configuration,
                format!("with --rdb, --database must be an index of the dump, not {text:?}"),
            )
        })?),
    };
    let path = command.rdb.clone().unwrap_or_default();
    let progress = Arc::clone(progress);
    let work = move || analyze_dump(&path, only, &options, progress.as_ref());
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| {
        CliError::new(ExitCode::Other, format!("the dump could not be read to its end: {error}"))
    })?;
    Ok(done?)
}

fn show(analysis: &Analysis) {
    let source = &analysis.source;
    screen::say(format!(
        "{}{}{:#} of {}{}",
        screen::STRONG,
        source.label,
        screen::STRONG,
        screen::url(&source.server, source.index),
        server_line(analysis)
    ));
    screen::say(format!(
        "{}, {}, {} with a TTL",
        screen::counted(analysis.keys, "key"),
        memory_line(&analysis.memory, analysis.measure),
        screen::percent(share(analysis.ttl.with, analysis.keys))
    ));
    screen::say("");
    show_groups(analysis);
    let named = |counts: Vec<(String, u64)>| {
        let shown =
            counts.into_iter().map(|(name, keys)| format!("{name} {}", screen::count(keys)));
        shown.collect::<Vec<_>>().join(", ")
    };
    let types = analysis.types.iter().map(|(name, keys)| (name.to_string(), *keys)).collect();
    line("types", &named(types));
    let encodings = analysis.encodings.iter().map(|(name, keys)| (name.clone(), *keys)).collect();
    line("encodings", &named(encodings));
    line("TTL left", &times(&analysis.ttl.buckets));
    line("unused for", &times(&analysis.idle));
    line("uses (LFU)", &buckets(&analysis.uses, |bound| bound.to_string()));
    show_biggest(analysis);
    show_clients(analysis);
    for missing in &analysis.missing {
        screen::say(format!("{}missing{:#} {missing}", screen::FAINT, screen::FAINT));
    }
    if analysis.vanished > 0 {
        screen::say(format!(
            "{} expired or were deleted meanwhile",
            screen::counted(analysis.vanished, "key")
        ));
    }
    let rate = (analysis.keys as f64 / analysis.seconds.max(0.001)) as u64;
    let time = std::time::Duration::from_secs_f64(analysis.seconds);
    screen::remark(format!("in {} ({} keys/s)", screen::time(time), screen::count(rate)));
}

fn server_line(analysis: &Analysis) -> String {
    let server = &analysis.server;
    let mut parts = Vec::new();
    if !server.version.is_empty() {
        parts.push(format!("{} {}", server.program, server.version).trim().to_owned());
    }
    parts.extend(server.eviction_policy.clone());
    if server.replica {
        parts.push("replica".to_owned());
    }
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

fn memory_line(memory: &Memory, measure: Measure) -> String {
    let bytes = compartment_admin::size(memory.bytes);
    match measure {
        Measure::Exact => bytes,
        Measure::FromDump => format!("about {bytes} in a server"),
        Measure::Unknown => "memory not known".to_owned(),
        _ if memory.plus_minus == 0 => format!("about {bytes}"),
        _ => format!("about {bytes} ± {}", compartment_admin::size(memory.plus_minus)),
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn show_groups(analysis: &Analysis) {
    let header = ["group", "written by", "for", "keys", "memory", "TTL"];
    let mut table = screen::table(&header, &[3, 4, 5]);
    let is_single = |group: &&KeyGroupReport| {
        group.keys == 1 && group.producer.is_empty() && group.database.is_none()
    };
    let singles = Singles::of(analysis.groups.iter().filter(is_single), |one| one.memory.bytes);
    let groups: Vec<&KeyGroupReport> =
        analysis.groups.iter().filter(|one| singles.is_none() || !is_single(one)).collect();
    for group in groups.iter().take(SHOWN_GROUPS) {
        table.add_row([
            group.name.clone(),
            written_by(group),
            group.purpose.to_string(),
            screen::count(group.keys),
            compartment_admin::size(group.memory.bytes),
            screen::percent(share(group.ttl.with, group.keys)),
        ]);
    }
    if let Some(singles) = &singles {
        let (name, keys, bytes) = singles.cells();
        table.add_row([name, "–".to_owned(), String::new(), keys, bytes, "–".to_owned()]);
    }
    screen::say_lines(table.to_string());
    let more = groups.len().saturating_sub(SHOWN_GROUPS);
    if more > 0 {
        screen::say(format!("and {more} smaller groups (--json lists them)"));
    }
    screen::say("");
}

fn written_by(group: &KeyGroupReport) -> String {
    match (&group.database, group.producer.as_str()) {
        (Some(database), _) => format!("[keys] → {database}"),
        (None, "") => "–".to_owned(),
        (None, producer) => screen::producer(producer, group.perhaps),
    }
}

fn line(name: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    // Wrapped at the commas here, so that the text fits 80 columns.
    let mut out = format!("{name:<11}");
    let mut width = out.len();
    for (at, part) in text.split(", ").enumerate() {
        let length = part.chars().count() + 2;
        if at > 0 {
            out.push(',');
        }
        if width + length > 78 {
            let _ = write!(out, "\n{:<11}", "");
            width = 11;
        } else if at > 0 {
            out.push(' ');
        }
        out.push_str(&compartment_admin::printable(part));
        width += length;
    }
    screen::say_lines(out);
}

fn times(list: &[Bucket]) -> String {
    let unit = |seconds: u64| match seconds {
        0..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        86_400 => "1 day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    };
    buckets(list, unit)
}

fn buckets(list: &[Bucket], unit: impl Fn(u64) -> String) -> String {
    let last = list.iter().rev().find_map(|bucket| bucket.below).map(&unit).unwrap_or_default();
    let shown = list.iter().filter(|bucket| bucket.keys > 0).map(|bucket| {
        let keys = screen::count(bucket.keys);
        match bucket.below {
            Some(bound) => format!("<{} {keys}", unit(bound)),
            None => format!("≥{last} {keys}"),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn show_biggest(analysis: &Analysis) {
    if analysis.biggest.is_empty() {
        return;
    }
    screen::say("");
    let mut table = screen::table(&["biggest keys", "type", "encoding", "memory"], &[3]);
    for key in &analysis.biggest {
        table.add_row([
            key.name.clone(),
            key.key_type.to_string(),
            key.encoding.clone(),
            compartment_admin::size(key.bytes),
        ]);
    }
    screen::say_lines(table.to_string());
}

fn show_clients(analysis: &Analysis) {
    if analysis.clients.is_empty() {
        return;
    }
    screen::say("");
    let header = ["client", "index", "connections", "waiting", "last commands"];
    let mut table = screen::table(&header, &[1, 2, 3]);
    for client in &analysis.clients {
        let name = match (client.name.as_str(), client.library.as_str()) {
            ("", "") => format!("(user {})", client.user),
            ("", library) => library.to_owned(),
            (name, "") => name.to_owned(),
            (name, library) => format!("{name} ({library})"),
        };
        table.add_row([
            name,
            client.index.to_string(),
            screen::count(client.connections),
            screen::count(client.blocked),
            client.commands.iter().cloned().collect::<Vec<_>>().join(", "),
        ]);
    }
    screen::say_lines(table.to_string());
}

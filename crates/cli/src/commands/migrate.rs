//! `compartment migrate`: by a plan or from one place to another, and back again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment::Instance;

use compartment_admin::migrate::{
    LiveOptions, LiveReport, MigrateOptions, Migration, MigrationReport, Preview, Rename, Routes,
    Way, follow, has_ended, header_of, migrate, migrate_live, preview, undo,
};

use compartment_admin::{Place, Plan, PlanTarget, Verdict, unescape};

use crate::args::{self, General, WayArgument};
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::settings::Settings;
use crate::{places, screen, settings};

pub(crate) async fn run(general: &General, command: args::Migrate) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let progress = Arc::new(KeyProgress::new());
    if let Some(journal) = &command.undo {
        let result = take_back(&settings, &command, journal, &progress).await;
        progress.clear();
        return finish(&command, &result?, journal, "taken back");
    }
    let migration = match &command.plan {
        Some(path) => of_plan(&settings, &command, path).await?,
        None => of_arguments(&settings, &command).await?,
    };
    if command.dry_run {
        let found = preview(&migration, Arc::clone(&progress) as _).await;
        progress.clear();
        return show_preview(&command, &found?);
    }
    let journal = migration.options.journal.clone();
    let shown = Arc::clone(&progress) as _;
    let mut live = None;
    let result = if command.live {
        let options = LiveOptions::new(command.quiet, command.at_most);
        let result = match command.feed {
            true => follow(migration, options, shown).await,
            false => migrate_live(migration, options, shown).await,
        };
        result.map(|report| live.insert(report).migration.clone())
    } else {
        migrate(migration, shown).await
    };
    progress.clear();
    let report = result.map_err(|error| {
        CliError::from(error).hint(format!(
            "each key is in one of its places; the same command with --journal {} goes on, and \
             `compartment migrate --undo {}` takes back what was done",
            journal.display(),
            journal.display()
        ))
    })?;
    let code = finish(&command, &report, &journal, "moved")?;
    Ok(match live {
        Some(live) => conclude(&command, &live).unwrap_or(code),
        None => code,
    })
}

/// Says whether the old place can be given up, and who still uses it.
fn conclude(command: &args::Migrate, live: &LiveReport) -> Option<ExitCode> {
    if command.json {
        return (!live.quiet).then_some(ExitCode::Conflict);
    }
    for client in &live.stragglers {
        screen::say(format!("still connected to the old place: {client}"));
    }
    if live.quiet {
        let good = screen::GOOD;
        screen::say(format!(
            "{good}the old place has been quiet for {}: `previous` can be left out of the \
             configuration now{good:#}",
            screen::time(command.quiet)
        ));
        return None;
    }
    let bad = screen::BAD;
    screen::say(format!(
        "{bad}keys still come to the old place: change its writers over, and run this again{bad:#}"
    ));
    Some(ExitCode::Conflict)
}

async fn of_arguments(settings: &Settings, command: &args::Migrate) -> Result<Migration, CliError> {
    let (Some(from), Some(to)) = (&command.from, &command.to) else {
        return Err(CliError::new(
            ExitCode::Configuration,
            "say what to move: --plan FILE, or --from DATABASE --to DATABASE",
        ));
    };
    let source = places::resolve_in(settings, from).await?;
    let target = places::resolve_in(settings, to).await?;
    let rename = match command.rename.as_slice() {
        [old, new] => Some(Rename::parse(old, new)?),
        _ => None,
    };
    let group = match command.pattern.as_slice() {
        [] => rename.as_ref().map_or_else(|| "all keys".to_owned(), ToString::to_string),
        patterns => patterns.join(" "),
    };
    let routes = Routes::single(&group, &command.pattern, rename);
    let name = format!("compartment-{}-to-{}", file_part(from), file_part(to));
    let options = options(command, &name)?;
    Ok(Migration { source, targets: vec![target], routes, options })
}

async fn of_plan(
    settings: &Settings,
    command: &args::Migrate,
    path: &Path,
) -> Result<Migration, CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| CliError::files("read", path, &error))?;
    let plan = Plan::parse(&text).map_err(|problem| {
        CliError::new(ExitCode::Files, format!("{}: {problem}", path.display()))
    })?;
    let source = of_server(settings, &plan.source.server, plan.source.index).await?;
    let mut targets = Vec::with_capacity(plan.targets.len());
    for target in &plan.targets {
        targets.push(of_target(settings, target).await?);
    }
    let takes_part = |group: &compartment_admin::Group| {
        let chosen = command.group.is_empty() || command.group.contains(&group.name);
        let ready = group.verdict == Verdict::Move || command.drained.contains(&group.name);
        chosen && ready
    };
    for name in command.group.iter().chain(&command.drained) {
        if !plan.groups.iter().any(|group| group.name == *name) {
            return Err(CliError::new(
                ExitCode::Configuration,
                format!("the plan has no group {name:?}"),
            ));
        }
    }
    for group in plan.groups.iter().filter(|g| g.verdict == Verdict::Drain && !takes_part(g)) {
        if command.group.is_empty() || command.group.contains(&group.name) {
            screen::remark(format!(
                "{} stays for now: stop what writes and reads it, then add --drained {:?}",
                group.name, group.name
            ));
        }
    }
    // What belongs together moves in one run or not at all.
    for group in plan.groups.iter().filter(|group| takes_part(group) && !group.together.is_empty())
    {
        let left = plan.groups.iter().find(|other| {
            other.together == group.together && other.verdict != Verdict::Stay && !takes_part(other)
        });
        if let Some(left) = left {
            return Err(CliError::new(
                ExitCode::Unsafe,
                format!(
                    "{} and {} belong together ({}): move both in one run",
                    group.name, left.name, group.together
                ),
            ));
        }
    }
    let routes = Routes::of_plan(&plan, takes_part);
    let name = path.file_stem().map_or("plan".into(), |stem| stem.to_string_lossy());
    let options = options(command, &name)?;
    Ok(Migration { source, targets, routes, options })
}

/// The server that a plan or journal names. They hold no password, so that one with a password has
/// to be configured.
async fn of_server(settings: &Settings, server: &str, index: u32) -> Result<Place, CliError> {
    let instances = settings.map.instances();
    let configured = instances.values().find(|instance| instance.url.to_string() == server);
    let instance = match configured {
        Some(instance) => instance.clone(),
        None if !server.contains(":***@") => Instance::new(server)?,
        None => {
            return Err(CliError::new(
                ExitCode::Configuration,
                format!(
                    "{server} is not among the configured instances, and its password is hidden"
                ),
            )
            .hint("add it to [instances] of compartment.toml, or name it with --backend"));
        }
    };
    Ok(Place::new(format!("index {index}"), places::connect(&instance).await?, index))
}

async fn of_target(settings: &Settings, target: &PlanTarget) -> Result<Place, CliError> {
    let place = places::resolve_in(settings, &target.database).await?;
    let same = place.server().url().to_string() == target.server
        && place.index() == target.index
        && place.prefix() == unescape(&target.prefix);
    if same {
        return Ok(place);
    }
    Err(CliError::new(
        ExitCode::Unsafe,
        format!(
            "the plan no longer fits: it has {} at {} index {}, and it is {place} now; make it anew",
            target.database, target.server, target.index
        ),
    ))
}

fn options(command: &args::Migrate, name: &str) -> Result<MigrateOptions, CliError> {
    let journal = match &command.journal {
        Some(path) => path.clone(),
        None => free_journal(name)?,
    };
    let mut options = MigrateOptions::new(journal);
    options.way = match command.strategy {
        WayArgument::Auto => None,
        WayArgument::Move => Some(Way::Move),
        WayArgument::Copy => Some(Way::Copy),
        WayArgument::Dump => Some(Way::Dump),
        WayArgument::Typed => Some(Way::Typed),
    };
    options.keep = command.keep;
    options.verify = command.verify;
    options.limits = command.load.into();
    Ok(options)
}

/// The journal of an interrupted migration of this name, to go on with it; a new one otherwise.
fn free_journal(name: &str) -> Result<PathBuf, CliError> {
    for number in 1.. {
        let path = match number {
            1 => PathBuf::from(format!("{name}.journal")),
            number => PathBuf::from(format!("{name}-{number}.journal")),
        };
        if !path.exists() || !has_ended(&path)? {
            return Ok(path);
        }
    }
    Ok(PathBuf::from(format!("{name}.journal")))
}

fn file_part(place: &str) -> String {
    let place = place.split_once("://").map_or(place, |(_, rest)| rest);
    // A password must not end up in a file's name.
    let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
    place.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

async fn take_back(
    settings: &Settings,
    command: &args::Migrate,
    journal: &Path,
    progress: &Arc<KeyProgress>,
) -> Result<MigrationReport, CliError> {
    let header = header_of(journal)?;
    let place = async |place: &compartment_admin::migrate::JournalPlace| {
        let found = match settings.map.database(&place.label) {
            Some(_) => places::resolve_in(settings, &place.label).await?,
            None => of_server(settings, &place.server, place.index).await?,
        };
        let prefix = unescape(&place.prefix);
        if found.server().url().to_string() == place.server && found.index() == place.index {
            return Ok(found.with_prefix(prefix));
        }
        // The map has changed since; the journal knows where the keys are.
        let there = of_server(settings, &place.server, place.index).await?;
        Ok::<_, CliError>(there.with_prefix(prefix))
    };
    let source = place(&header.source).await?;
    let mut targets = Vec::with_capacity(header.targets.len());
    for target in &header.targets {
        targets.push(place(target).await?);
    }
    let limits = command.load.into();
    Ok(undo(journal, source, targets, limits, Arc::clone(progress) as _).await?)
}

fn show_preview(command: &args::Migrate, found: &Preview) -> Result<ExitCode, CliError> {
    if command.json {
        screen::say(serde_json::to_string_pretty(found).unwrap_or_default());
        return Ok(ExitCode::Success);
    }
    let mut table = screen::table(&["group", "to", "keys", "collisions"], &[2, 3]);
    for group in &found.groups {
        table.add_row([
            group.group.clone(),
            group.database.clone(),
            screen::count(group.keys),
            screen::count(group.collisions),
        ]);
    }
    screen::say(table.to_string());
    let all: u64 = found.groups.iter().map(|group| group.keys).sum();
    screen::say(format!(
        "would move {} keys by {}; {} would stay; nothing was changed",
        screen::count(all),
        found.way,
        screen::count(found.staying)
    ));
    Ok(ExitCode::Success)
}

fn finish(
    command: &args::Migrate,
    report: &MigrationReport,
    journal: &Path,
    verb: &str,
) -> Result<ExitCode, CliError> {
    let code = match (report.damaged, report.complete()) {
        (0, true) => ExitCode::Success,
        (0, false) => ExitCode::Conflict,
        _ => ExitCode::Different,
    };
    if command.json {
        screen::say(serde_json::to_string_pretty(report).unwrap_or_default());
        return Ok(code);
    }
    let mut table = screen::table(&["group", "to", verb, "left"], &[2, 3]);
    for group in report.groups.iter().filter(|group| group.moved + group.left > 0) {
        table.add_row([
            group.group.clone(),
            group.database.clone(),
            screen::count(group.moved),
            screen::count(group.left),
        ]);
    }
    screen::say(table.to_string());
    for (name, why) in &report.examples {
        screen::say(format!("{}left{:#} {name}: {why}", screen::BAD, screen::BAD));
    }
    let rate = (report.seen as f64 / report.seconds.max(0.001)) as u64;
    let way = report.way.map_or(String::new(), |way| format!(" by {way}"));
    screen::say(format!(
        "{} keys {verb}{way} in {} ({}/s), {} expired or were deleted meanwhile",
        screen::count(report.moved + report.same),
        screen::time(std::time::Duration::from_secs_f64(report.seconds)),
        screen::count(rate),
        screen::count(report.gone)
    ));
    if command.undo.is_none() {
        screen::say(format!("to take it back: compartment migrate --undo {}", journal.display()));
    }
    Ok(code)
}

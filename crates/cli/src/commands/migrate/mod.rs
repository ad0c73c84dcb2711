//! `compartment migrate`: by a plan or from one place to another, and back again.

mod plan;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compartment_admin::backup::{BackupOptions, backup};
use compartment_admin::migrate::{
    JournalPlace, LiveOptions, LiveReport, MigrateOptions, Migration, MigrationReport, Rename,
    Routes, Way, can_go_on, follow, header_of, migrate, migrate_live, preview, undo,
};
use compartment_admin::{AdminError, unescape};

use crate::args::{self, General, WayArgument};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::key_progress::KeyProgress;
use crate::settings::Settings;
use crate::{places, screen, settings};

use plan::of_plan;
use report::{conclude, finish, show_instructions, show_preview};

pub(crate) async fn run(general: &General, command: args::Migrate) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let progress = Arc::new(KeyProgress::new());
    if let Some(journal) = &command.undo {
        let result = take_back(&settings, &command, journal, &progress).await;
        progress.clear();
        return finish(&command, &result?, "taken back");
    }
    let mut migration = match &command.plan {
        Some(path) => of_plan(&settings, &command, path, &progress).await?,
        None => of_arguments(&settings, &command).await?,
    };
    progress.clear();
    if command.dry_run {
        let found = preview(&migration, Arc::clone(&progress) as _).await;
        progress.clear();
        return show_preview(&command, &found?);
    }
    let journal = migration.options.journal.clone();
    migration.options.instructions.push(format!(
        "To take this back: change the programs back first, then run: compartment migrate --undo {}",
        journal.display()
    ));
    let instructions = migration.options.instructions.clone();
    if let Some(file) = &command.backup {
        back_up(&command, &migration, file, &progress).await?;
    }
    let hint = format!(
        "no key is lost: each is where it was or where it goes; the same command with --journal {0} \
         goes on, and `compartment migrate --undo {0}` takes back what was done",
        journal.display()
    );
    let result = tokio::select! {
        result = carry_out(&command, migration, &progress) => result.map_err(CliError::from),
        () = interrupted() => Err(CliError::new(ExitCode::Interrupted, "interrupted")),
    };
    progress.clear();
    // Before there is a journal nothing has begun.
    let begun = journal.exists();
    let (report, live) = result.map_err(|error| if begun { error.hint(hint) } else { error })?;
    let code = finish(&command, &report, "moved")?;
    show_instructions(&command, &instructions);
    Ok(match live {
        Some(live) => conclude(&command, &live).unwrap_or(code),
        None => code,
    })
}

/// Moves the keys, once or until nobody writes to the old place any more.
async fn carry_out(
    command: &args::Migrate,
    migration: Migration,
    progress: &Arc<KeyProgress>,
) -> Result<(MigrationReport, Option<LiveReport>), AdminError> {
    let shown = Arc::clone(progress) as _;
    if !command.live {
        return Ok((migrate(migration, shown).await?, None));
    }
    let options = LiveOptions::new(command.quiet, command.at_most);
    let live = match command.feed {
        true => follow(migration, options, shown).await?,
        false => migrate_live(migration, options, shown).await?,
    };
    Ok((live.migration.clone(), Some(live)))
}

/// Writes what is about to move into a file, unless an earlier run that goes on has done so.
async fn back_up(
    command: &args::Migrate,
    migration: &Migration,
    file: &Path,
    progress: &KeyProgress,
) -> Result<(), CliError> {
    if migration.options.journal.exists() {
        return Ok(());
    }
    if file.exists() {
        return Err(CliError::new(
            ExitCode::Files,
            format!("{} is there already; name another file for the backup", file.display()),
        ));
    }
    let options = BackupOptions::default().limits(command.load.into());
    let pattern = migration.routes.only_pattern();
    let written = backup(&migration.source, pattern, file, &options, progress).await;
    progress.clear();
    let written = written?;
    screen::remark(format!("{} keys backed up to {}", screen::count(written.keys), file.display()));
    Ok(())
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
    let options = options(command);
    let migration = Migration { source, targets: vec![target], routes, options };
    with_journal(migration, command, &name)
}

fn options(command: &args::Migrate) -> MigrateOptions {
    let mut options = MigrateOptions::new(command.journal.clone().unwrap_or_default());
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
    options
}

/// With the journal of this very migration where one was interrupted or left keys, to go on with
/// it; a new one otherwise.
fn with_journal(
    mut migration: Migration,
    command: &args::Migrate,
    name: &str,
) -> Result<Migration, CliError> {
    if command.journal.is_some() {
        return Ok(migration);
    }
    for number in 1.. {
        let path = match number {
            1 => PathBuf::from(format!("{name}.journal")),
            number => PathBuf::from(format!("{name}-{number}.journal")),
        };
        if !path.exists() || can_go_on(&path, &migration)? {
            migration.options.journal = path;
            break;
        }
    }
    Ok(migration)
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
    let place = async |place: &JournalPlace| {
        let found = match settings.map.database(&place.label) {
            Some(_) => places::resolve_in(settings, &place.label).await?,
            None => places::of_server(settings, &place.server, place.index).await?,
        };
        let prefix = unescape(&place.prefix);
        if found.server().url().to_string() == place.server && found.index() == place.index {
            return Ok(found.with_prefix(prefix));
        }
        // The map has changed since; the journal knows where the keys are.
        let there = places::of_server(settings, &place.server, place.index).await?;
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

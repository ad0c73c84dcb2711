//! `compartment migrate`: moves keys by a plan or from one place to another, and undoes a move.

mod options;
mod plan;
mod report;

use std::path::Path;
use std::sync::Arc;

use compartment_admin::backup::{BackupOptions, backup, is_standard_output};
use compartment_admin::migrate::{
    JournalPlace, LiveOptions, LiveReport, Migration, MigrationReport, Rename, Routes, UndoOptions,
    check_queues, follow, header_of, migrate, migrate_live, preview, undo,
};
use compartment_admin::{AdminError, shell_word, unescape};

use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::key_progress::KeyProgress;
use crate::settings::Settings;
use crate::{places, screen, settings};

use options::{file_part, options, with_journal};
use plan::of_plan;
use report::{ABOUT_LIVE, ADVICE_AFTER_UNDO, advise, conclude, finish};
use report::{show_instructions, show_preview};

pub(crate) async fn run(general: &General, command: args::Migrate) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let progress = Arc::new(KeyProgress::new());
    if let Some(journal) = &command.undo {
        if general.backend.is_some() {
            screen::remark(
                "note: --undo reads the databases from the journal; --backend is used only for a password",
            );
        }
        let result = take_back(&settings, &command, journal, &progress).await;
        progress.clear();
        let report = result?;
        let code = finish(&command, &report, "moved back")?;
        if !report.complete() && !command.json {
            screen::say(ADVICE_AFTER_UNDO);
        }
        return Ok(code);
    }
    let mut migration = match &command.plan {
        Some(path) => of_plan(&settings, &command, path, &progress).await?,
        None => of_arguments(&settings, &command).await?,
    };
    migration = migration.without_keys_of_targets().await?;
    progress.clear();
    if command.plan.is_none() && !command.keep && !command.feed {
        guard_queues(&settings, &command, &migration, &progress).await?;
    }
    if command.dry_run {
        let found = preview(&migration, Arc::clone(&progress) as _).await;
        progress.clear();
        return show_preview(&command, &found?);
    }
    let journal = migration.options.journal.clone();
    migration.options.instructions.push(way_back(&command, &journal));
    let instructions = migration.options.instructions.clone();
    if let Some(file) = &command.backup {
        back_up(&command, &migration, file, &progress).await?;
    }
    let hint = format!(
        "no key is lost: each is in the source or in the target. To resume, run the same command with \
         --journal {0}; to undo, run `compartment migrate --undo {0}`",
        shell_word(&journal.to_string_lossy())
    );
    if command.live && !command.feed {
        screen::remark(ABOUT_LIVE);
    }
    let result = tokio::select! {
        // With an unreadable journal the run cannot be resumed.
        result = carry_out(&command, migration, &progress) => result.map_err(|error| {
            (!matches!(error, AdminError::BadFile { .. }), CliError::from(error))
        }),
        () = interrupted() => Err((true, CliError::new(ExitCode::Interrupted, "interrupted"))),
    };
    progress.clear();
    // Without a journal the migration has not begun.
    let begun = journal.exists();
    let (report, live) = result.map_err(|(goes_on, error)| match begun && goes_on {
        true => error.hint(hint),
        false => error,
    })?;
    let code = finish(&command, &report, "moved")?;
    // A run that found no key leaves no journal, and needs no instructions.
    if journal.exists() {
        show_instructions(&settings, &command, &instructions);
        advise(&command, &report, live.as_ref());
    }
    Ok(match live {
        Some(live) => conclude(&command, &live).unwrap_or(code),
        None => code,
    })
}

/// How to undo the migration. After a feed the target has the newer values; programs must not write to both places
/// meanwhile, or the undo could not bring a key back.
fn way_back(command: &args::Migrate, journal: &Path) -> String {
    let undo = format!("compartment migrate --undo {}", shell_word(&journal.to_string_lossy()));
    match command.feed {
        false => format!("To undo: change the programs back first, then run: {undo}"),
        true => format!(
            "To undo: stop the programs first, then run: {undo}, then start them with the old database"
        ),
    }
}

/// Checks a move without a plan for queues that it would split, as for a plan. Repeated on every run, since workers
/// may have started in between.
async fn guard_queues(
    settings: &Settings,
    command: &args::Migrate,
    migration: &Migration,
    progress: &KeyProgress,
) -> Result<(), CliError> {
    let rules = settings.map.keys();
    let checked = check_queues(migration, rules, command.drained_anyway, progress).await;
    progress.clear();
    Ok(checked?)
}

/// Moves the keys: once, or until nothing writes to the source any more.
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

/// Backs up the keys to be moved, unless the run that is resumed has done so.
async fn back_up(
    command: &args::Migrate,
    migration: &Migration,
    file: &Path,
    progress: &KeyProgress,
) -> Result<(), CliError> {
    if is_standard_output(file) {
        return Err(CliError::new(
            ExitCode::Configuration,
            "--backup needs a file, because the report goes to standard output",
        ));
    }
    // The backup of the resumed run has the keys moved so far; a second one would lack them.
    if migration.options.journal.exists() && file.is_file() {
        screen::remark(format!("{} is the backup of the run that goes on", file.display()));
        return Ok(());
    }
    if file.is_file() {
        return Err(CliError::new(
            ExitCode::Files,
            format!("{} exists already; name another file for the backup", file.display()),
        ));
    }
    let options =
        BackupOptions::default().limits(command.load.into()).stale_replica(command.stale_replica);
    let pattern = migration.routes.only_pattern();
    let written = backup(&migration.source, pattern, file, &options, progress).await;
    progress.clear();
    let written = written?;
    screen::remark(format!(
        "{} backed up to {}",
        screen::counted(written.keys, "key"),
        file.display()
    ));
    Ok(())
}

async fn of_arguments(settings: &Settings, command: &args::Migrate) -> Result<Migration, CliError> {
    let (Some(from), Some(to)) = (&command.from, &command.to) else {
        return Err(CliError::new(
            ExitCode::Configuration,
            "say which keys to move: --plan FILE, or --from DATABASE --to DATABASE",
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
        // The map has changed since the migration; the journal's address is used.
        let there = places::of_server(settings, &place.server, place.index).await?;
        Ok::<_, CliError>(there.with_prefix(prefix))
    };
    let source = place(&header.source).await?;
    let mut targets = Vec::with_capacity(header.targets.len());
    for target in &header.targets {
        targets.push(place(target).await?);
    }
    let mut options = UndoOptions::default();
    options.limits = command.load.into();
    options.accept_eviction = command.accept_eviction;
    options.field_lives = command.field_lives.into();
    Ok(undo(journal, source, targets, options, Arc::clone(progress) as _).await?)
}

//! The options of a migration from its arguments, and the choice of its journal.

use std::path::PathBuf;

use compartment_admin::migrate::{MigrateOptions, Migration, Way, can_go_on};

use crate::args::{self, WayArgument};
use crate::exit_code::CliError;

pub(super) fn options(command: &args::Migrate) -> MigrateOptions {
    let mut options = MigrateOptions::new(command.journal.clone().unwrap_or_default());
    options.way = match command.strategy {
        WayArgument::Auto => None,
        WayArgument::Move => Some(Way::Move),
        WayArgument::Copy => Some(Way::Copy),
        WayArgument::Dump => Some(Way::Dump),
        WayArgument::Typed => Some(Way::Typed),
    };
    options.field_lives = command.field_lives.into();
    options.keep = command.keep;
    options.verify = command.verify;
    options.accept_eviction = command.accept_eviction;
    options.stale_replica = command.stale_replica;
    options.limits = command.load.into();
    options
}

/// Uses the journal of the same migration if an earlier run was interrupted or left keys; otherwise a new one.
pub(super) fn with_journal(
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

pub(super) fn file_part(place: &str) -> String {
    let place = place.split_once("://").map_or(place, |(_, rest)| rest);
    // A file name must not contain a password.
    let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
    place.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

//! A file in Redis's format into one database, whichever program wrote the file.
//!
//! The whole file is read first: its checksum, its version, whether the server can take what is in
//! it, whether anything stands where its keys are to go. Nothing is written before all of that is
//! known to be right. Then the keys go over, many at a time. Each goes over whole or not at all,
//! and the same command goes on with what an interruption has left.

mod check;
mod contents;
mod keys;
mod write;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use contents::no_database;
pub use contents::{Contents, DatabaseContents};
use keys::{Chosen, Keys};

use crate::backup::{on_thread, rdb_version};
use crate::clocks::ClockShift;
use crate::error::{AdminError, Result};
use crate::fitness::{Incoming, target_fitness};
use crate::{Limits, Place, Progress, escape};

/// What is done about a key that stands where one is to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// Nothing is restored at all. A key that is there with the same value and expiry is no
    /// conflict, so that an interrupted restore can be gone on with.
    #[default]
    Fail,
    /// The key that stands stays.
    Skip,
    /// The key of the file takes its place.
    Replace,
}

/// What a restore is to be like.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// Which numbered database of the file; needed where it has several.
    pub from_index: Option<u64>,
    /// A glob that the names have to fit; `None` for all.
    pub pattern: Option<Vec<u8>>,
    /// What is done about keys that stand in the way.
    pub on_conflict: OnConflict,
    /// Everything is checked and nothing is written.
    pub dry_run: bool,
    /// Each key is read back and compared.
    pub verify: bool,
    /// What it may ask of the server.
    pub limits: Limits,
    /// Go on although the server may evict what it was given.
    pub accept_eviction: bool,
}

impl RestoreOptions {
    /// Of this numbered database of the file.
    #[must_use]
    pub fn from_index(mut self, index: Option<u64>) -> Self {
        self.from_index = index;
        self
    }

    /// Of the names only that fit the glob.
    #[must_use]
    pub fn pattern(mut self, pattern: Option<Vec<u8>>) -> Self {
        self.pattern = pattern;
        self
    }

    /// With another way to deal with keys that stand in the way.
    #[must_use]
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }

    /// Without writing anything.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// With each key read back and compared.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Into a server that may evict what it was given.
    #[must_use]
    pub fn accept_eviction(mut self, accept_eviction: bool) -> Self {
        self.accept_eviction = accept_eviction;
        self
    }

    /// With limits to what it may ask of the server.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What a restore has come to; with `dry_run` what it would have.
#[derive(Clone, Debug, Default, serde::Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The file.
    pub file: PathBuf,
    /// Its version of the format.
    pub rdb_version: u16,
    /// The numbered database of the file.
    pub from_index: u64,
    /// Keys of it that were asked for.
    pub keys: u64,
    /// Keys written.
    pub restored: u64,
    /// Keys that were there already, with the same value and expiry.
    pub already_there: u64,
    /// Keys that stand in the target and were left as they are; in a dry run those that would be
    /// left or replaced.
    pub standing: u64,
    /// Keys whose time was over.
    pub expired: u64,
    /// Keys that were left out because their collections have no element.
    pub empty: u64,
    /// Keys read back that are right; `None` unless asked for.
    pub verified: Option<u64>,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// How long it took.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// Restores `file` into `place`.
///
/// # Errors
/// Whatever is wrong with the file, or that the server cannot take it: then nothing was written.
/// [`AdminError::Conflict`] where keys stand in the way: nothing was written, unless the first of
/// them came while it ran. What stops the server from taking a key, with the key; the keys before
/// it are there, and the same call goes on. [`AdminError::Different`] when what is read back is not
/// what was written.
pub async fn restore(
    file: &Path,
    place: &Place,
    options: &RestoreOptions,
    progress: &dyn Progress,
) -> Result<RestoreReport> {
    let started = Instant::now();
    progress.begin("read", None);
    let (path, pattern) = (file.to_owned(), options.pattern.clone());
    let now_ms = keys::now(&mut place.open("restore").await?).await;
    let contents = on_thread(move || Contents::read(&path, pattern.as_deref(), now_ms)).await?;
    can_take(file, &contents, place)?;
    let index = contents.choose(file, options.from_index)?;
    let chosen = contents.databases.get(&index).cloned().unwrap_or_default();
    can_take_modules(file, &chosen, place).await?;
    for note in contents.notes(&chosen) {
        progress.note(&note);
    }
    let connection = place.open("restore").await?;
    let keys = Keys {
        file: file.to_owned(),
        chosen: Chosen { index, pattern: options.pattern.clone() },
        now_ms,
    };
    let mut report = RestoreReport {
        file: file.to_owned(),
        rdb_version: contents.rdb_version,
        from_index: index,
        keys: chosen.chosen,
        empty: chosen.empty,
        dry_run: options.dry_run,
        ..RestoreReport::default()
    };
    let work = Work { place, options, progress, rdb_version: contents.rdb_version };
    let finds_conflicts = options.on_conflict == OnConflict::Fail || options.dry_run;
    if finds_conflicts && work.holds_keys().await? {
        progress.begin("compare", Some(chosen.chosen));
        work.find_conflicts(&keys, &connection, &mut report).await?;
    }
    let left = chosen.chosen.saturating_sub(report.already_there);
    keeps_keys(place, options, expected_bytes(&chosen, left), progress).await?;
    tell_of_clock(place, progress).await;
    if options.dry_run {
        report.elapsed = started.elapsed();
        return Ok(report);
    }
    (report.already_there, report.standing, report.expired) = (0, 0, 0);
    progress.begin("restore", Some(chosen.chosen));
    work.write(&keys, &connection, &mut report).await?;
    if options.verify {
        progress.begin("verify", Some(chosen.chosen));
        work.verify(&keys, &connection, &mut report).await?;
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

/// About how much memory so many of the keys take.
fn expected_bytes(chosen: &DatabaseContents, keys: u64) -> u64 {
    (chosen.bytes / chosen.chosen.max(1)).saturating_mul(keys)
}

/// Refuses a server that would not keep what it is given.
async fn keeps_keys(
    place: &Place,
    options: &RestoreOptions,
    bytes: u64,
    progress: &dyn Progress,
) -> Result<()> {
    let incoming = Incoming {
        bytes: Some(bytes),
        may_be_evicted: options.accept_eviction,
        ..Incoming::default()
    };
    let fitness = target_fitness(None, place, incoming).await?;
    if let Some(refusal) = fitness.refusal {
        return Err(refusal);
    }
    for warning in fitness.warnings {
        progress.note(&format!("note: {warning}"));
    }
    Ok(())
}

/// A file holds the moments at which keys expire, by the clock of the server that wrote it; which clock
/// that was it does not say.
async fn tell_of_clock(place: &Place, progress: &dyn Progress) {
    // A server that does not tell its time goes by its clock all the same.
    let Ok(shift) = ClockShift::from_here(place).await else { return };
    if !shift.is_none() {
        progress.note(&format!(
            "note: the clock of {place} is {shift} this machine's. A file stores expiry times, so keys \
             live shorter or longer by that difference"
        ));
    }
}

/// What the passes over the keys have in common.
struct Work<'a> {
    place: &'a Place,
    options: &'a RestoreOptions,
    progress: &'a dyn Progress,
    rdb_version: u16,
}

/// Whether the server knows the file's version of the format.
fn can_take(file: &Path, contents: &Contents, place: &Place) -> Result<()> {
    /// From here on the versions are Valkey's own.
    const VALKEY: u16 = 80;
    let info = place.server().info();
    let (found, newest) = (contents.rdb_version, rdb_version(info));
    // Valkey has left out those that Redis has given since they parted.
    let taken = if info.server == "valkey" {
        found <= 11 || (VALKEY..=newest).contains(&found)
    } else {
        found <= newest
    };
    if taken {
        return Ok(());
    }
    let needed = match found {
        ..=11 => "Redis 7.2 or Valkey 7.2",
        12 => "Redis 7.4",
        13..VALKEY => "Redis 8.6",
        _ => "Valkey 9",
    };
    Err(AdminError::BadFile {
        path: file.to_owned(),
        problem: format!(
            "it is of RDB version {found}, and {} {} at {} reads up to {newest}; restore it on \
             {needed} or newer",
            info.server,
            info.version,
            place.server().url(),
        ),
    })
}

/// Whether the server has modules, if the file has values that need one. Which of a server's
/// modules has which types it does not say.
async fn can_take_modules(file: &Path, chosen: &DatabaseContents, place: &Place) -> Result<()> {
    let Some((name, module)) = &chosen.module else { return Ok(()) };
    let mut connection = place.open("restore").await?;
    let mut list = redis::cmd("MODULE");
    list.arg("LIST");
    if let Ok(redis::Value::Array(modules)) = connection.ask("list modules", &list).await
        && !modules.is_empty()
    {
        return Ok(());
    }
    Err(AdminError::BadFile {
        path: file.to_owned(),
        problem: format!(
            "the key \"{}\" is of the module type {module}, and {} has no modules; load the module \
             there, or leave such keys out with a pattern",
            escape(name),
            place.server().url(),
        ),
    })
}

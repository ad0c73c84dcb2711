//! Restores a file in Redis's format, written by any program, into one database.
//!
//! The whole file is read first to check its checksum, its version, whether the server accepts its
//! contents, and whether keys conflict. Nothing is written before all checks have passed. Then the
//! keys are written in batches. Each key is written completely or not at all, and the same command
//! resumes after an interruption.

mod check;
mod contents;
mod functions;
mod keys;
mod write;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use contents::no_database;
pub use contents::{Contents, DatabaseContents};
pub(crate) use keys::now;
use keys::{Chosen, Keys};

use crate::backup::on_thread;
use crate::clocks::ClockShift;
use crate::error::{AdminError, Result};
use crate::field_lives::FieldLives;
use crate::fitness::{Incoming, target_fitness};
use crate::rdb::Format;
use crate::{Limits, Place, Progress, escape};

/// How to treat an existing key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// Nothing is restored. An existing key with equal value and expiry is not a conflict, so that
    /// an interrupted restore can be resumed.
    #[default]
    Fail,
    /// The existing key stays.
    Skip,
    /// The key from the file replaces it.
    Replace,
}

/// Options of a restore.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// The numbered database of the file; required if it has several.
    pub from_index: Option<u64>,
    /// A glob that names have to match; `None` for all.
    pub pattern: Option<Vec<u8>>,
    /// How to treat existing keys.
    pub on_conflict: OnConflict,
    /// Whether to check everything and write nothing.
    pub dry_run: bool,
    /// Whether to read each key back and compare it.
    pub verify: bool,
    /// Limits of the load on the server.
    pub limits: Limits,
    /// Whether to continue although the server may evict restored keys.
    pub accept_eviction: bool,
    /// What becomes of hashes with expiring fields, if the server knows no such fields.
    pub field_lives: FieldLives,
    /// Whether the function libraries of the file are loaded, which belong to no database.
    pub functions: bool,
}

impl RestoreOptions {
    /// Sets the numbered database of the file.
    #[must_use]
    pub fn from_index(mut self, index: Option<u64>) -> Self {
        self.from_index = index;
        self
    }

    /// Sets a glob that names have to match.
    #[must_use]
    pub fn pattern(mut self, pattern: Option<Vec<u8>>) -> Self {
        self.pattern = pattern;
        self
    }

    /// Sets how existing keys are treated.
    #[must_use]
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }

    /// Sets whether nothing is written.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Sets whether each key is read back and compared.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Sets whether to continue although the server may evict restored keys.
    #[must_use]
    pub fn accept_eviction(mut self, accept_eviction: bool) -> Self {
        self.accept_eviction = accept_eviction;
        self
    }

    /// Sets what becomes of hashes with expiring fields, if the server knows no such fields.
    #[must_use]
    pub fn field_lives(mut self, choice: FieldLives) -> Self {
        self.field_lives = choice;
        self
    }

    /// Sets whether the function libraries of the file are loaded.
    #[must_use]
    pub fn functions(mut self, functions: bool) -> Self {
        self.functions = functions;
        self
    }

    /// Sets the limits of the load on the server.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// The result of a restore; with `dry_run` the expected one.
#[derive(Clone, Debug, Default, serde::Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The file.
    pub file: PathBuf,
    /// Its RDB version.
    pub rdb_version: u16,
    /// The numbered database of the file.
    pub from_index: u64,
    /// Number of its keys that were chosen.
    pub keys: u64,
    /// Number of keys written.
    pub restored: u64,
    /// Number of keys that existed with equal value and expiry.
    pub already_there: u64,
    /// Number of existing keys that were kept; in a dry run, that would be kept or replaced.
    pub standing: u64,
    /// Number of expired keys.
    pub expired: u64,
    /// Number of hashes with expiring fields that are left out by choice.
    pub left_out: u64,
    /// Number of function libraries loaded; in a dry run, that would be loaded.
    pub functions: u64,
    /// The servers in whose format values are written again, because the server does not read the file's.
    pub format: Option<String>,
    /// Number of keys skipped as empty collections.
    pub empty: u64,
    /// Number of keys read back without a difference; `None` without `verify`.
    pub verified: Option<u64>,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Duration.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// Restores `file` into `place`.
///
/// # Errors
/// When the file has a problem or the server cannot accept it: then nothing was written.
/// [`AdminError::Conflict`] for existing keys: nothing was written, unless the first of them
/// appeared during the run. When the server refuses a key, with its name: the keys before it are
/// written, and the same call resumes. [`AdminError::Different`] when a key read back differs from
/// the file.
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
    let format = format_for(place, &contents);
    let index = contents.choose(file, options.from_index)?;
    let chosen = contents.databases.get(&index).cloned().unwrap_or_default();
    can_take_modules(file, &chosen, place).await?;
    let lives = format.is_some_and(|format| !format.has_field_lives());
    can_hold(file, &chosen, (format, contents.rdb_version), place, options)?;
    let drops = lives && options.field_lives == FieldLives::Drop;
    let left_out = match lives && options.field_lives == FieldLives::Leave {
        true => chosen.field_lives,
        false => 0,
    };
    for note in contents.notes(&chosen, options.functions) {
        progress.note(&note);
    }
    let connection = place.open("restore").await?;
    let keys = Keys {
        file: file.to_owned(),
        chosen: Chosen {
            index,
            pattern: options.pattern.clone(),
            without_field_lives: left_out > 0,
            drops_field_lives: drops,
        },
        now_ms,
    };
    let mut report = RestoreReport {
        file: file.to_owned(),
        rdb_version: contents.rdb_version,
        from_index: index,
        keys: chosen.chosen,
        left_out,
        format: format.map(|format| format.to_string()),
        empty: chosen.empty,
        dry_run: options.dry_run,
        ..RestoreReport::default()
    };
    let work = Work {
        place,
        options,
        progress,
        rdb_version: contents.rdb_version,
        format,
        drops_field_lives: drops.then_some(now_ms),
    };
    let finds_conflicts = options.on_conflict == OnConflict::Fail || options.dry_run;
    if finds_conflicts && work.holds_keys().await? {
        progress.begin("compare", Some(chosen.chosen));
        work.find_conflicts(&keys, &connection, &mut report).await?;
    }
    let left = chosen.chosen.saturating_sub(report.already_there + left_out);
    keeps_keys(place, options, expected_bytes(&chosen, left), progress).await?;
    tell_of_clock(place, progress).await;
    if options.functions {
        report.functions = work.load_functions(&keys).await?;
    }
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

/// Estimated memory of `keys` keys, in bytes.
fn expected_bytes(chosen: &DatabaseContents, keys: u64) -> u64 {
    (chosen.bytes / chosen.chosen.max(1)).saturating_mul(keys)
}

/// Refuses a server that would not keep the keys.
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

/// Warns if the server's clock differs from this machine's: a file has expiries by the clock of the
/// server that wrote it, which is unknown.
async fn tell_of_clock(place: &Place, progress: &dyn Progress) {
    // A server that does not report its time gives no reason for a remark.
    let Ok(shift) = ClockShift::from_here(place).await else { return };
    if !shift.is_none() {
        progress.note(&format!(
            "note: the clock of {place} is {shift} this machine's. A file stores expiry times, so keys \
             live shorter or longer by that difference"
        ));
    }
}

/// State shared by the passes over the keys.
struct Work<'a> {
    place: &'a Place,
    options: &'a RestoreOptions,
    progress: &'a dyn Progress,
    rdb_version: u16,
    /// The format in which values are written again, if the server does not read the file's.
    format: Option<Format>,
    /// Set if fields of hashes do not expire in the server any more, by choice: the server's time, by which fields have
    /// expired.
    drops_field_lives: Option<u64>,
}

/// The format in which values have to be written again; `None` if the server reads the file's own, or its version is
/// not known.
fn format_for(place: &Place, contents: &Contents) -> Option<Format> {
    Format::of(place.server().info()).filter(|format| !format.reads(contents.rdb_version))
}

/// Checks that the server can hold the values of the file, if they have to be written again.
fn can_hold(
    file: &Path,
    chosen: &DatabaseContents,
    (format, version): (Option<Format>, u16),
    place: &Place,
    options: &RestoreOptions,
) -> Result<()> {
    let Some(format) = format else { return Ok(()) };
    let info = place.server().info();
    let server = format!("{} {} at {}", info.server, info.version, place.server().url());
    if chosen.types.contains_key("array") && !format.has_arrays() {
        return Err(AdminError::BadFile {
            path: file.to_owned(),
            problem: format!(
                "it is of RDB version {version} and has keys of the type array, which {server} does not have; leave \
                 them out with a pattern"
            ),
        });
    }
    let count = chosen.field_lives;
    if count > 0 && !format.has_field_lives() && options.field_lives == FieldLives::Stop {
        let some: Vec<String> =
            chosen.with_field_lives.iter().map(|name| format!("\"{name}\"")).collect();
        let more = if count > some.len() as u64 { ", …" } else { "" };
        return Err(AdminError::Unsafe(format!(
            "{count} keys of {} are hashes with fields that expire ({}{more}), and {server} knows no such fields. \
             Nothing was restored. Choose: --field-lives leave (they are left out), or --field-lives drop (their \
             fields never expire)",
            file.display(),
            some.join(", "),
        )));
    }
    Ok(())
}

/// Checks that the server has modules if the file has values of modules. A server does not report
/// the types of its modules.
async fn can_take_modules(file: &Path, chosen: &DatabaseContents, place: &Place) -> Result<()> {
    let Some((name, module)) = &chosen.module else { return Ok(()) };
    let mut connection = place.open("restore").await?;
    if crate::modules::loaded(&mut connection).await.is_ok_and(|names| !names.is_empty()) {
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

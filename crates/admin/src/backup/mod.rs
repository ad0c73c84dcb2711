//! Backs up one database, or its keys that match a pattern, into a file that a server loads.
//!
//! There are two ways. `SCAN` and `DUMP` work on any server, key by key: each value is consistent,
//! and the file has every key that existed throughout. Replication, where the server allows it,
//! gives all keys at one moment; the server sends all its databases for that.
//!
//! The file is written as `FILE.partial` and renamed when it is complete. An interrupted scan
//! resumes where it stopped. A pipe, a device or standard output receives the complete file.

mod bloom;
mod copy;
mod destination;
mod fetch;
mod fit;
mod functions;
mod held;
mod output;
mod pack;
mod resume;
mod scan;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use destination::{is_standard_output, is_stream};
pub(crate) use fetch::{Sizes, fetch};
pub(crate) use functions::function_libraries;
pub(crate) use scan::on_thread;

use destination::Destination;

use crate::field_lives::FieldLives;
use crate::fitness::refuse_stale_replica;
use crate::rdb::Format;
use crate::{Limits, Place, Progress, Result};

/// How the keys are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// By a scan, which works everywhere and reads only one database.
    #[default]
    Auto,
    /// By `SCAN` and `DUMP`.
    Scan,
    /// As a replica: all keys at one moment. The server sends all its databases.
    Replication,
}

/// Options of a backup.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BackupOptions {
    /// How the keys are read.
    pub via: Via,
    /// Whether the file is compressed with zstd; it has to be decompressed before a server can load
    /// it.
    pub zstd: bool,
    /// Limits of a scan's load on the server.
    pub limits: Limits,
    /// Whether to read from a replica without a link to its master.
    pub stale_replica: bool,
    /// The line of servers that has to load the file; `None` for those that load the source's own format.
    pub format: Option<Format>,
    /// What becomes of hashes with expiring fields, if those servers know no such fields.
    pub field_lives: FieldLives,
    /// Whether the file has the function libraries of the server, which belong to no database.
    pub functions: bool,
}

impl BackupOptions {
    /// Sets how the keys are read.
    #[must_use]
    pub fn via(mut self, via: Via) -> Self {
        self.via = via;
        self
    }

    /// Sets whether the file is compressed.
    #[must_use]
    pub fn zstd(mut self, zstd: bool) -> Self {
        self.zstd = zstd;
        self
    }

    /// Sets whether to read from a replica without a link to its master.
    #[must_use]
    pub fn stale_replica(mut self, stale_replica: bool) -> Self {
        self.stale_replica = stale_replica;
        self
    }

    /// Sets the line of servers that has to load the file.
    #[must_use]
    pub fn format(mut self, format: Option<Format>) -> Self {
        self.format = format;
        self
    }

    /// Sets what becomes of hashes with expiring fields, if those servers know no such fields.
    #[must_use]
    pub fn field_lives(mut self, choice: FieldLives) -> Self {
        self.field_lives = choice;
        self
    }

    /// Sets whether the file has the function libraries of the server.
    #[must_use]
    pub fn functions(mut self, functions: bool) -> Self {
        self.functions = functions;
        self
    }

    /// Sets the limits of a scan's load on the server.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// The result of a backup.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Number of keys in it.
    pub keys: u64,
    /// Number of its keys with an expiry.
    pub expiring: u64,
    /// Number of keys that vanished between scan and read.
    pub vanished: u64,
    /// Number of names that the server returned again.
    pub repeated: u64,
    /// Number of keys left out by choice, because the servers that the file is for cannot hold them.
    pub left_out: u64,
    /// Number of function libraries in the file.
    pub functions: u64,
    /// Number of keys from an earlier, interrupted run.
    pub resumed: u64,
    /// The file's RDB version; a server that knows it can load the file.
    pub rdb_version: u16,
    /// The oldest servers of the line that load the file.
    pub loads_in: String,
    /// `scan` or `replication`.
    pub via: &'static str,
    /// Duration of this run.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// Backs up the keys of `place` whose names match `pattern` (a glob; `None` for all) into `file`.
/// An existing file is replaced atomically at the end.
///
/// Names in the file are without the place's prefix. Data of the whole server, such as function
/// libraries, is not included.
///
/// # Errors
/// The server's; the file's. The output of a scan stays in `FILE.partial`, and the same call
/// resumes it.
pub async fn backup(
    place: &Place,
    pattern: Option<&[u8]>,
    file: &Path,
    options: &BackupOptions,
    progress: &dyn Progress,
) -> Result<BackupReport> {
    let started = Instant::now();
    may_be_read(place, options).await?;
    let destination = Destination::of(file)?;
    let whole = destination.file();
    let mut report = match options.via {
        Via::Auto | Via::Scan => scan::run(place, pattern, &whole, options, progress).await?,
        Via::Replication => copy::run(place, pattern, &whole, options, progress).await?,
    };
    report.file = match destination {
        Destination::File(_) => file.to_owned(),
        stream @ Destination::Stream { .. } => on_thread(move || stream.deliver()).await?,
    };
    report.elapsed = started.elapsed();
    Ok(report)
}

/// Refuses a replica that is not up to date with its master. Checked before the backup, and again
/// before the file is renamed.
async fn may_be_read(place: &Place, options: &BackupOptions) -> Result<()> {
    match options.stale_replica {
        true => Ok(()),
        false => refuse_stale_replica(place).await,
    }
}

/// Waits until a cancelled backup into `file` has synchronised its data, so that the process may
/// exit and the next run can resume.
///
/// # Errors
/// When the file cannot be opened.
pub async fn settled(file: &Path) -> Result<()> {
    let Destination::File(whole) = Destination::of(file)? else { return Ok(()) };
    let partial = resume::Paths::of(&whole).partial;
    on_thread(move || match partial.exists() {
        true => output::lock(&partial).map(drop),
        false => Ok(()),
    })
    .await
}

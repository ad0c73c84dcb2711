//! One database, or the keys of it that fit a pattern, into a file that any Redis loads.
//!
//! Two ways lead there. By `SCAN` and `DUMP` on any server, a key at a time: each value is whole,
//! and the file holds every key that was there throughout. By replication, where the server allows
//! it: all keys as they were at one moment, for which the server sends what it has of all
//! databases.
//!
//! The file is written beside its name, as `FILE.partial`, and takes its name when it is whole. A
//! scan that was interrupted goes on where it was. A pipe, a device or standard output is given the
//! file when it is whole.

mod bloom;
mod copy;
mod destination;
mod fetch;
mod held;
mod output;
mod pack;
mod resume;
mod scan;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compartment_redis::ServerInfo;

pub use destination::{is_standard_output, is_stream};
pub(crate) use fetch::{ExpiryBy, Sizes, fetch};
pub(crate) use scan::on_thread;

use destination::Destination;

use crate::fitness::refuse_stale_replica;
use crate::{Limits, Place, Progress, Result};

/// How the keys are got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Via {
    /// As is best here: by a scan, which works everywhere and asks for one database only.
    #[default]
    Auto,
    /// By `SCAN` and `DUMP`.
    Scan,
    /// As a replica does: all keys at one moment. The server sends what is in all databases.
    Replication,
}

/// What a backup is to be like.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BackupOptions {
    /// How the keys are got.
    pub via: Via,
    /// Whether the file is compressed with zstd; then a server has to be given it unpacked.
    pub zstd: bool,
    /// What a scan may ask of the server.
    pub limits: Limits,
    /// Read from a replica although it has no link to its master.
    pub stale_replica: bool,
}

impl BackupOptions {
    /// With another way to get the keys.
    #[must_use]
    pub fn via(mut self, via: Via) -> Self {
        self.via = via;
        self
    }

    /// With or without compression.
    #[must_use]
    pub fn zstd(mut self, zstd: bool) -> Self {
        self.zstd = zstd;
        self
    }

    /// With what a replica has that lost its master.
    #[must_use]
    pub fn stale_replica(mut self, stale_replica: bool) -> Self {
        self.stale_replica = stale_replica;
        self
    }

    /// With limits to what a scan may ask of the server.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What a backup has come to.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// The file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Keys in it.
    pub keys: u64,
    /// Those of them that expire.
    pub expiring: u64,
    /// Keys that were there when they were named and gone when they were read.
    pub vanished: u64,
    /// Names that the server gave more than once.
    pub repeated: u64,
    /// Keys that an earlier, interrupted run had already got.
    pub resumed: u64,
    /// The file's version of the format: servers that know it load the file.
    pub rdb_version: u16,
    /// `scan` or `replication`.
    pub via: &'static str,
    /// How long it took, this run alone.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// Backs up the keys of `place` whose names fit `pattern` (a glob; `None` for all) into `file`,
/// which is replaced if it is there, at the end and all at once.
///
/// Names in the file are without the place's prefix. What belongs to the whole server, such as
/// function libraries, is not in it.
///
/// # Errors
/// The server's; the file's. What a scan has written until then stays in `FILE.partial`, and the
/// same call goes on with it.
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

/// Refuses a replica that does not have what its master has: asked before, and again before the file
/// takes its name.
async fn may_be_read(place: &Place, options: &BackupOptions) -> Result<()> {
    match options.stale_replica {
        true => Ok(()),
        false => refuse_stale_replica(place).await,
    }
}

/// Waits until a backup into `file` that was given up has made safe what it has, so that the
/// process may end and the next run goes on from there.
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

/// The version of the format that a server writes, and the newest that it reads, by its program
/// and version.
pub(crate) fn rdb_version(server: &ServerInfo) -> u16 {
    let mut parts = server.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    match (server.server.as_str(), version) {
        ("valkey", (9.., 2..) | (10.., _)) => 81,
        ("valkey", (9.., _)) => 80,
        ("valkey", _) => 11,
        (_, (0..=6, _)) => 9,
        (_, (7, 0..=1)) => 10,
        (_, (7, 2..=3)) => 11,
        (_, (7, _) | (8, 0..=5)) => 12,
        _ => 13,
    }
}

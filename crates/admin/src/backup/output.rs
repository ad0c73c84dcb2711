//! The file of a backup: begun or resumed, written, synchronised at intervals, renamed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use compartment_files::Lock;

use super::BackupReport;
use super::fit::{Fit, Form};
use super::held::Held;
use super::pack::Pack;
use super::resume::{Checkpoint, Counts, Paths, Source};
use crate::error::{AdminError, Result};
use crate::escape;
use crate::rdb::{
    Format, Item, Payload, RdbError, RdbReader, RdbWriter, WriterState, is_readable, unpacked,
};

/// The most that an interruption loses.
const SAFE_EVERY: Duration = Duration::from_secs(2);
const SAFE_EVERY_BYTES: u64 = 128 * 1024 * 1024;
/// How long to wait for a cancelled run to unlock its file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// A key to be written.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) expires_at_ms: Option<u64>,
    /// The answer of `DUMP`.
    pub(crate) dump: Vec<u8>,
}

/// The result of one round trip.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Names that may be in the file already.
    pub(super) held: Vec<Vec<u8>>,
    pub(super) vanished: u64,
    /// Where the walk continues after this, if this completes one of its pages.
    pub(super) position: Option<(usize, u64)>,
}

/// Metadata that the file contains.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) label: String,
    pub(super) server_version: String,
    pub(super) index: u32,
    /// The RDB version, in case no key implies one.
    pub(super) rdb_version: u16,
    /// The line of servers that has to load the file.
    pub(super) fit: Fit,
    /// Function libraries for the file.
    pub(super) functions: Vec<Vec<u8>>,
}

/// The file while it is being written.
#[derive(Debug)]
pub(super) struct Output {
    paths: Paths,
    about: About,
    /// The source that a resuming run must have; `None` if the file cannot be resumed.
    source: Option<Source>,
    /// Set until the first key has given the RDB version.
    unbegun: Option<Pack>,
    writer: Option<RdbWriter<Pack>>,
    held: Held,
    pub(super) rdb_version: u16,
    pub(super) counts: Counts,
    pub(super) position: Option<(usize, u64)>,
    safe_at: Instant,
    safe_offset: u64,
}

impl Output {
    /// Opens the file, and resumes it if it has the same source.
    pub(super) fn open(
        paths: Paths,
        about: About,
        source: Option<Source>,
        zstd: bool,
    ) -> Result<Self> {
        let wrong = |error| AdminError::file("write", &paths.partial)(error);
        let mut file = lock(&paths.partial)?;
        let checkpoint = match &source {
            Some(source) => Checkpoint::load(&paths.state, source)?,
            None => None,
        };
        let length = file.metadata().map_err(wrong)?.len();
        let checkpoint = checkpoint.filter(|checkpoint| checkpoint.file_bytes <= length);
        if checkpoint.is_none() && !is_backup(&mut file).map_err(wrong)? {
            return Err(AdminError::Invalid(format!(
                "{} exists and is no part of a backup; remove it, or write the backup elsewhere",
                paths.partial.display()
            )));
        }
        let (end, held_bytes) =
            checkpoint.as_ref().map_or((0, 0), |c| (c.file_bytes, c.held_bytes));
        file.set_len(end).map_err(wrong)?;
        file.seek(SeekFrom::Start(end)).map_err(wrong)?;
        let pack = Pack::new(file, zstd).map_err(wrong)?;
        let held = Held::open(&paths.held, held_bytes)
            .map_err(|error| AdminError::file("write", &paths.held)(error))?;
        let mut output = Self {
            rdb_version: about.rdb_version,
            paths,
            about,
            source,
            unbegun: None,
            writer: None,
            held,
            counts: Counts::default(),
            position: None,
            safe_at: Instant::now(),
            safe_offset: 0,
        };
        match checkpoint {
            Some(checkpoint) => {
                output.rdb_version = checkpoint.rdb_version;
                output.counts = checkpoint.counts;
                output.position = Some((checkpoint.node, checkpoint.cursor));
                let state = WriterState::new(checkpoint.offset, checkpoint.checksum);
                output.writer = Some(RdbWriter::resume(pack, state));
            }
            None => output.unbegun = Some(pack),
        }
        Ok(output)
    }

    fn wrong(&self, error: RdbError) -> AdminError {
        match error {
            RdbError::Io(source) => AdminError::file("write", &self.paths.partial)(source),
            other => AdminError::BadFile {
                path: self.paths.partial.clone(),
                problem: format!("{other}; remove it and run the same command again"),
            },
        }
    }

    /// Writes the header for a source of RDB `version`, if nothing was written yet.
    pub(super) fn begin_in(&mut self, version: u16) -> Result<()> {
        self.begin(self.about.fit.version_for(version))
    }

    /// Writes the header, if nothing was written yet.
    fn begin(&mut self, rdb_version: u16) -> Result<()> {
        let Some(pack) = self.unbegun.take() else { return Ok(()) };
        self.rdb_version = rdb_version;
        let begin = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let mut writer = RdbWriter::new(pack, rdb_version)?;
            writer.aux("redis-ver", &self.about.server_version)?;
            writer.aux("ctime", &now.as_secs().to_string())?;
            writer.aux("compartment", &self.about.label)?;
            for code in &self.about.functions {
                writer.function(code)?;
            }
            writer.select_db(self.about.index.into())?;
            Ok(writer)
        };
        let begun = begin();
        self.writer = Some(begun.map_err(|error| self.wrong(error))?);
        Ok(())
    }

    /// Writes a key with its value in file format, in the format that was asked for.
    pub(super) fn key(
        &mut self,
        name: &[u8],
        expires_at_ms: Option<u64>,
        payload: &Payload<'_>,
    ) -> Result<()> {
        let counter = match self.about.fit.form(name, payload) {
            Form::Value(kind, value, version) => {
                return self.write(name, expires_at_ms, kind, &value, version);
            }
            Form::LeftOut => &mut self.counts.left_out,
            Form::Over => &mut self.counts.vanished,
            Form::None => &mut self.counts.unfit,
        };
        *counter += 1;
        Ok(())
    }

    fn write(
        &mut self,
        name: &[u8],
        expires_at_ms: Option<u64>,
        value_type: u8,
        value: &[u8],
        rdb_version: u16,
    ) -> Result<()> {
        if !is_readable(value_type, rdb_version) {
            return Err(AdminError::Invalid(format!(
                "the key \"{}\" has an encoding (type {value_type}, RDB version {rdb_version}) that \
                 this program is too old to restore; leave such keys out with a pattern, or use a \
                 newer program",
                escape(name)
            )));
        }
        self.begin(rdb_version)?;
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.key(name, expires_at_ms, value_type, value).map_err(|error| self.wrong(error))?;
        self.counts.keys += 1;
        self.counts.expiring += u64::from(expires_at_ms.is_some());
        Ok(())
    }

    /// Writes the result of a round trip, and synchronises the file when that is due.
    pub(super) fn take(&mut self, page: Page) -> Result<()> {
        for entry in &page.entries {
            let payload =
                Payload::parse_unchecked(&entry.dump).map_err(|error| self.wrong(error))?;
            self.key(&entry.name, entry.expires_at_ms, &payload)?;
        }
        for name in &page.held {
            let pushed = self.held.push(name);
            pushed.map_err(|error| AdminError::file("write", &self.paths.held)(error))?;
        }
        self.counts.vanished += page.vanished;
        if let Some(position) = page.position {
            self.position = Some(position);
            let offset = self.writer.as_ref().map_or(0, RdbWriter::offset);
            if self.safe_at.elapsed() >= SAFE_EVERY || offset - self.safe_offset > SAFE_EVERY_BYTES
            {
                self.make_safe()?;
            }
        }
        Ok(())
    }

    /// Synchronises the file to disk, with a checkpoint from which it can be resumed.
    pub(super) fn make_safe(&mut self) -> Result<()> {
        let (Some(source), Some((node, cursor))) = (&self.source, self.position) else {
            return Ok(());
        };
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let settled = writer.flush().and_then(|state| Ok((state, writer.get_mut().settle()?)));
        let held = self.held.settle();
        let source = source.clone();
        let (state, file_bytes) = settled.map_err(|error| self.wrong(error))?;
        let held_bytes =
            held.map_err(|error| AdminError::file("write", &self.paths.held)(error))?;
        let checkpoint = Checkpoint {
            source,
            rdb_version: self.rdb_version,
            node,
            cursor,
            file_bytes,
            offset: state.offset,
            checksum: state.checksum,
            held_bytes,
            counts: self.counts,
        };
        checkpoint.save(&self.paths.state)?;
        self.safe_at = Instant::now();
        self.safe_offset = state.offset;
        Ok(())
    }

    /// Calls `tell` with the name of each key in the file so far.
    pub(super) fn each_name(&mut self, mut tell: impl FnMut(Vec<u8>)) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let settled = writer.flush().and_then(|_| Ok(writer.get_mut().settle()?));
        let length = settled.map_err(|error| self.wrong(error))?;
        let mut read = || {
            let file = compartment_files::open_own(&self.paths.partial)?.take(length);
            let mut reader = RdbReader::new(unpacked(file)?)?;
            loop {
                match reader.next_item() {
                    Ok(Some(Item::Key(key))) => tell(key.name),
                    Ok(Some(_)) => {}
                    // The file has no end mark yet.
                    Ok(None) | Err(RdbError::Truncated(_)) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        };
        read().map_err(|error| self.wrong(error))
    }

    /// The next names that were held back and are not in the file; empty at the end.
    pub(super) fn next_missing(&mut self) -> Result<Vec<Vec<u8>>> {
        loop {
            let told = self.held.next_names();
            let (mut names, repeated) =
                told.map_err(|error| AdminError::file("read", &self.paths.held)(error))?;
            self.counts.repeated += repeated;
            if names.is_empty() {
                return Ok(Vec::new());
            }
            let mut found = 0;
            self.each_name(|name| found += u64::from(names.remove(&name)))?;
            self.counts.repeated += found;
            if !names.is_empty() {
                return Ok(names.into_iter().collect());
            }
        }
    }

    /// Completes and renames the file.
    pub(super) fn finish(mut self) -> Result<BackupReport> {
        if let Err(error) = self.about.fit.refuse(self.counts.unfit) {
            self.discard();
            return Err(error);
        }
        self.begin(self.about.rdb_version)?;
        let mut report = BackupReport {
            file: self.paths.whole.clone(),
            bytes: 0,
            keys: self.counts.keys,
            expiring: self.counts.expiring,
            vanished: 0,
            repeated: 0,
            left_out: self.counts.left_out,
            functions: self.about.functions.len() as u64,
            resumed: 0,
            rdb_version: self.rdb_version,
            loads_in: Format::readers_of(self.rdb_version),
            via: "scan",
            elapsed: Duration::ZERO,
        };
        let Some(writer) = self.writer.take() else { return Ok(report) };
        let pack = writer.finish().map_err(|error| self.wrong(error))?;
        let file = pack.finish().map_err(|error| self.wrong(error.into()))?;
        let name = || {
            let length = file.metadata()?.len();
            // The new file keeps the permissions of the file that it replaces.
            if let Ok(replaced) = std::fs::metadata(&self.paths.whole) {
                file.set_permissions(replaced.permissions())?;
            }
            std::fs::rename(&self.paths.partial, &self.paths.whole)?;
            // The rename has to survive a power failure too.
            let folder = self.paths.whole.parent().filter(|path| !path.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(length)
        };
        report.bytes = name().map_err(AdminError::file("write", &self.paths.whole))?;
        self.forget();
        Ok(report)
    }

    /// Removes the files that only an interrupted run needs.
    fn forget(&self) {
        for path in [&self.paths.state, &self.paths.held] {
            // Most runs do not have these files.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Removes a file that cannot be resumed.
    pub(super) fn discard(self) {
        let _ = std::fs::remove_file(&self.paths.partial);
        self.forget();
    }
}

/// The first bytes of Redis's files, Valkey's files, and compressed ones.
const BEGINNINGS: [&[u8]; 3] = [b"REDIS", b"VALKEY", b"\x28\xb5\x2f\xfd"];

/// Whether a file is empty, or begins as a backup does.
fn is_backup(file: &mut File) -> std::io::Result<bool> {
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(6).read_to_end(&mut start)?;
    // A run may have been killed while it wrote these bytes.
    let begins = |known: &&[u8]| known.starts_with(&start) || start.starts_with(known);
    Ok(BEGINNINGS.iter().any(begins))
}

/// Opens and locks the file for this run.
pub(super) fn lock(path: &Path) -> Result<File> {
    let file = compartment_files::continue_or_create(path);
    let file = file.map_err(AdminError::file("create", path))?;
    let give_up = Instant::now() + LOCK_PATIENCE;
    loop {
        match compartment_files::lock(&file).map_err(AdminError::file("lock", path))? {
            // Some file systems have no locks; concurrent backups are too rare to refuse those file
            // systems.
            Lock::Taken | Lock::Unsupported => return Ok(file),
            Lock::Busy if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Lock::Busy => {
                return Err(AdminError::Invalid(format!(
                    "{} is being written by another backup",
                    path.display()
                )));
            }
        }
    }
}

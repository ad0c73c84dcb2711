//! The backup by replication: one database of the copy that a replica receives.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, Bytes};
use compartment_core::backend::glob_matches;
use tokio::sync::mpsc;

use super::output::Output;
use super::resume::Paths;
use super::scan::{about, on_thread};
use super::{BackupOptions, BackupReport};
use crate::error::{AdminError, Result};
use crate::rdb::{Item, RdbReader};
use crate::replication::{Replica, Wanted};
use crate::{Place, Progress};

/// Pieces buffered between the connection and the thread that reads them, each at most 256 KiB.
const WAITING: usize = 16;

pub(super) async fn run(
    place: &Place,
    pattern: Option<&[u8]>,
    file: &Path,
    options: &BackupOptions,
    progress: &dyn Progress,
) -> Result<BackupReport> {
    progress.begin("wait for the copy", None);
    let mut replica = Replica::start(place.server(), Wanted::Copy).await?;
    progress.begin("back up", None);
    let keys = Arc::new(AtomicU64::new(0));
    let filter = Filter {
        index: place.index().into(),
        prefix: place.prefix().to_vec(),
        pattern: pattern.map(<[u8]>::to_vec),
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let (paths, about, zstd) = (Paths::of(file), about(place, options).await?, options.zstd);
    let counted = Arc::clone(&keys);
    let writing = tokio::spawn(on_thread(move || {
        let mut output = Output::open(paths, about, None, zstd)?;
        match filter.write(Pieces { receiver, piece: Bytes::new() }, &mut output, &counted) {
            Ok(()) => {
                let report = output.finish()?;
                Ok(BackupReport { via: "replication", ..report })
            }
            Err(error) => {
                // A copy of a past moment cannot be resumed.
                output.discard();
                Err(error)
            }
        }
    }));
    let mut shown = 0;
    let received = loop {
        match replica.next_piece().await {
            Ok(Some(piece)) => {
                if sender.send(Ok(piece)).await.is_err() {
                    // The thread has failed, and returns its error.
                    break Ok(());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => {
                let _ = sender.send(Err(io::ErrorKind::ConnectionAborted.into())).await;
                break Err(error);
            }
        }
        let now = keys.load(Ordering::Relaxed);
        progress.advance(now - shown);
        shown = now;
    };
    drop(sender);
    let written = writing.await.unwrap_or_else(|error| {
        Err(AdminError::Invalid(format!("the work on the file has failed: {error}")))
    });
    received?;
    written
}

/// Selects the keys of the backup from the copy.
struct Filter {
    index: u64,
    prefix: Vec<u8>,
    pattern: Option<Vec<u8>>,
}

impl Filter {
    fn write(&self, pieces: Pieces, output: &mut Output, counted: &AtomicU64) -> Result<()> {
        let wrong = |error| {
            AdminError::Invalid(format!("the copy that the server sent cannot be used: {error}"))
        };
        let mut reader = RdbReader::new(pieces).map_err(wrong)?;
        let version = reader.version();
        // Written even if there is no key.
        output.begin_in(version)?;
        while let Some(item) = reader.next_item().map_err(wrong)? {
            let Item::Key(key) = item else { continue };
            if key.database != self.index {
                continue;
            }
            let Some(name) = key.name.strip_prefix(self.prefix.as_slice()) else { continue };
            if self.pattern.as_ref().is_none_or(|pattern| glob_matches(pattern, name)) {
                output.key(name, key.expires_at_ms, &key.as_payload(version))?;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// The received pieces as a reader.
struct Pieces {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

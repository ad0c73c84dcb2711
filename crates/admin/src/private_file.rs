//! Files that hold other people's data: for their owner alone, and never by a link that somebody has
//! laid where a file of a known name is expected.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// A file that was not there.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    private().write(true).create_new(true).open(path)
}

/// The file to go on with, or a new one.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is not a regular file"));
    }
    private().read(true).write(true).create(true).truncate(false).open(path)
}

/// Takes the file for this process alone, for as long as it is open; whether nobody else has it.
pub(crate) fn take(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        // Some file systems have no locks; two runs at once are the rarer mistake.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

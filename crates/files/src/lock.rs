//! Locks of files, between processes.

use std::fs::{File, TryLockError};
use std::io;

/// The outcome of locking a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// This process has the file while it is open.
    Taken,
    /// Another process has it.
    Busy,
    /// The file system has no locks.
    Unsupported,
}

/// Locks a file for this process, without waiting.
///
/// # Errors
/// The file system's.
pub fn lock(file: &File) -> io::Result<Lock> {
    match file.try_lock() {
        Ok(()) => Ok(Lock::Taken),
        Err(TryLockError::WouldBlock) => Ok(Lock::Busy),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(Lock::Unsupported)
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

//! Locks of files, between processes.

use std::fs::{File, TryLockError};
use std::io;
use std::ops::{Deref, DerefMut};

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

/// A file that was locked. The lock ends with it, at once: if the file were only closed, a process that is being started
/// meanwhile would hold the lock until it has become its program.
#[derive(Debug)]
pub struct LockedFile(File);

impl LockedFile {
    /// The file, which [`lock`] has locked.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self(file)
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for LockedFile {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // A file system without locks has nothing to end.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_file_though_another_descriptor_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let first = File::create(&path).unwrap();
        assert_eq!(lock(&first).unwrap(), Lock::Taken);
        // As a process has it that was forked meanwhile.
        let inherited = first.try_clone().unwrap();
        let other = File::open(&path).unwrap();
        assert_eq!(lock(&other).unwrap(), Lock::Busy);
        drop(LockedFile::new(first));
        assert_eq!(lock(&other).unwrap(), Lock::Taken);
        drop(inherited);
    }
}

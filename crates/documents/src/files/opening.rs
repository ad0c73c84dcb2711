//! Opens files for reading: only regular files, without waiting for a pipe, and on request without following links.

use std::fs::File;
use std::path::Path;

use compartment_pipeline::StageError;

/// Opens a regular file anywhere. Blocks.
pub(super) fn open_any(path: &Path) -> Result<File, StageError> {
    // Opening a device can have an effect, so it is looked at first.
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(not_a_file());
    }
    regular(system::open(path).map_err(|error| unreadable(&error))?)
}

/// Opens the regular file at a canonical path, of which no part is a link. Blocks. `may_be_at` tells for a canonical
/// path whether the file may be there.
pub(super) fn open_without_links(
    real: &Path,
    may_be_at: impl Fn(&Path) -> bool,
) -> Result<File, StageError> {
    let metadata = std::fs::symlink_metadata(real).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() && !metadata.is_symlink() {
        return Err(not_a_file());
    }
    let opened = system::open_without_links(real, may_be_at);
    regular(opened.map_err(|error| unreadable(&error))?)
}

/// The file, if it is a regular one. The check is of the open file, which nobody can exchange.
fn regular(file: File) -> Result<File, StageError> {
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if metadata.is_file() { Ok(file) } else { Err(not_a_file()) }
}

/// The failure of a file or folder that cannot be read.
pub(crate) fn unreadable(error: &std::io::Error) -> StageError {
    StageError::new("unreadable", format!("it cannot be read: {error}")).transient()
}

fn not_a_file() -> StageError {
    StageError::new("not_a_file", "it is a device or pipe, not a file")
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::{Component, Path};

    use rustix::fs::{CWD, Mode, OFlags, openat};

    /// How a document is opened. A pipe without a writer does not block.
    const READ: OFlags =
        OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

    /// How a folder on the way is opened. Linux needs no right to list it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const PASS: OFlags =
        OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const PASS: OFlags =
        OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

    pub(super) fn open(path: &Path) -> io::Result<File> {
        Ok(openat(CWD, path, READ, Mode::empty())?.into())
    }

    /// Opens each part of the path in the folder before it. A part that has become a link is an error.
    pub(super) fn open_without_links(
        real: &Path,
        _may_be_at: impl Fn(&Path) -> bool,
    ) -> io::Result<File> {
        let mut at: OwnedFd = openat(CWD, "/", PASS, Mode::empty())?;
        let mut parts = real.components().peekable();
        while let Some(part) = parts.next() {
            let name = match part {
                Component::RootDir => continue,
                Component::Normal(name) => name,
                // A canonical path has no others.
                _ => return Err(io::ErrorKind::InvalidFilename.into()),
            };
            if parts.peek().is_some() {
                at = openat(&at, name, PASS, Mode::empty())?;
            } else {
                return Ok(openat(&at, name, READ | OFlags::NOFOLLOW, Mode::empty())?.into());
            }
        }
        Err(io::ErrorKind::IsADirectory.into())
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    /// Opens the file, and then checks that the path still leads where it may.
    pub(super) fn open_without_links(
        real: &Path,
        may_be_at: impl Fn(&Path) -> bool,
    ) -> io::Result<File> {
        let file = File::open(real)?;
        match real.canonicalize()? {
            now if may_be_at(&now) => Ok(file),
            _ => Err(io::Error::other("its path changed while it was opened")),
        }
    }
}

//! Whether an open file is this user's own.

use std::fs::File;
use std::io;

/// Refuses a file that another user owns or can write, or that has a second name.
#[cfg(unix)]
pub(crate) fn check(file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let found = file.metadata()?;
    let problem = if !found.is_file() {
        "it is not a regular file"
    } else if found.uid() != rustix::process::geteuid().as_raw() {
        "it belongs to another user"
    } else if found.nlink() > 1 {
        "it has a second name (a hard link)"
    } else if found.mode() & 0o022 != 0 {
        "other users can write it"
    } else {
        return Ok(());
    };
    let what = format!("{problem}, so it is not gone on with; remove it, or choose another name");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

#[cfg(not(unix))]
pub(crate) fn check(file: &File) -> io::Result<()> {
    match file.metadata()?.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// Whether no name leads to an open file any more.
#[cfg(unix)]
pub(crate) fn is_removed(file: &File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) == 0)
}

#[cfg(not(unix))]
pub(crate) fn is_removed(_: &File) -> io::Result<bool> {
    Ok(false)
}

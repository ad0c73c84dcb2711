//! The destination of a backup: a file, or a stream that receives the complete file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{AdminError, Result};

/// The destination named by `--output`.
#[derive(Debug)]
pub(super) enum Destination {
    /// A regular file, existing or not, with every symbolic link followed.
    File(PathBuf),
    /// A pipe, a device or standard output, and the folder in which the file is built first.
    Stream { name: PathBuf, folder: Folder },
}

/// A temporary folder of this run, removed on drop.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // On failure it stays in the system's folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Maximum number of links followed, as in operating systems.
const MAX_LINKS: usize = 40;

/// Whether `file` is standard output; then nothing else may be printed there.
#[must_use]
pub fn is_standard_output(file: &Path) -> bool {
    let is_named = ["-", "/dev/stdout"].iter().any(|name| Path::new(name) == file);
    is_named || is_open_as_output(file)
}

/// Whether a name leads to the target of standard output: a link to it, or another descriptor.
#[cfg(unix)]
fn is_open_as_output(file: &Path) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let output = io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let output = output.and_then(|output| output.metadata());
    // The null device does not count, even if standard output is redirected to it.
    let is_same = |output: std::fs::Metadata, found: std::fs::Metadata| {
        (output.dev(), output.ino()) == (found.dev(), found.ino())
    };
    let null = std::fs::metadata("/dev/null").ok();
    match (output, std::fs::metadata(file)) {
        (Ok(output), Ok(found)) => {
            !null.is_some_and(|null| is_same(null, found.clone())) && is_same(output, found)
        }
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_open_as_output(_: &Path) -> bool {
    false
}

/// Whether `file` is a pipe or a device, so that an interrupted backup cannot be resumed.
#[must_use]
pub fn is_stream(file: &Path) -> bool {
    let is_special = std::fs::metadata(file).is_ok_and(|found| !found.is_file() && !found.is_dir());
    is_standard_output(file) || is_special
}

impl Destination {
    pub(super) fn of(file: &Path) -> Result<Self> {
        let wrong = |kind: io::ErrorKind| AdminError::file("write", file)(kind.into());
        if is_standard_output(file) {
            return Self::stream(file);
        }
        match std::fs::metadata(file) {
            Ok(found) if found.is_dir() => Err(wrong(io::ErrorKind::IsADirectory)),
            Ok(found) if found.is_file() => {
                let file = file.canonicalize().map_err(AdminError::file("write", file))?;
                Ok(Self::File(file))
            }
            Ok(_) => Self::stream(file),
            Err(_) => Ok(Self::File(followed(file)?)),
        }
    }

    fn stream(name: &Path) -> Result<Self> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.unwrap_or_default().as_nanos();
        let folder =
            std::env::temp_dir().join(format!("compartment-backup-{}-{now}", std::process::id()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(AdminError::file("create", &folder))?;
        Ok(Self::Stream { name: name.to_owned(), folder: Folder(folder) })
    }

    /// The path of the file to write.
    pub(super) fn file(&self) -> PathBuf {
        match self {
            Self::File(file) => file.clone(),
            Self::Stream { folder, .. } => folder.0.join("backup.rdb"),
        }
    }

    /// Sends the complete file down the stream, if it is one; returns the name given by the user.
    pub(super) fn deliver(self) -> Result<PathBuf> {
        let file = self.file();
        match self {
            Self::File(file) => Ok(file),
            Self::Stream { name, folder } => {
                let mut from = File::open(&file).map_err(AdminError::file("read", &file))?;
                // Removed before the stream is opened, since a pipe may never have a reader.
                #[cfg(unix)]
                drop(folder);
                send(&mut from, &name).map_err(AdminError::file("write", &name))?;
                #[cfg(not(unix))]
                drop(folder);
                Ok(name)
            }
        }
    }
}

fn send(from: &mut File, name: &Path) -> io::Result<()> {
    if is_standard_output(name) {
        let mut out = io::stdout().lock();
        io::copy(from, &mut out)?;
        return out.flush();
    }
    let mut to = OpenOptions::new().write(true).open(name)?;
    io::copy(from, &mut to)?;
    to.flush()
}

/// The name at the end of links whose target does not exist yet.
fn followed(file: &Path) -> Result<PathBuf> {
    let mut name = file.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = std::fs::read_link(&name) else { return Ok(name) };
        name = match name.parent() {
            Some(folder) => folder.join(next),
            None => next,
        };
    }
    Err(AdminError::file("write", file)(io::Error::other("its symbolic links form a loop")))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn file_of(path: &Path) -> PathBuf {
        match Destination::of(path).unwrap() {
            Destination::File(file) => file,
            Destination::Stream { .. } => panic!("{} is no stream", path.display()),
        }
    }

    #[test]
    fn links_are_followed_and_folders_refused() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        let (file, link, loose) = (here.join("file"), here.join("link"), here.join("loose"));
        std::fs::write(&file, "good").unwrap();
        symlink("file", &link).unwrap();
        symlink("later", &loose).unwrap();
        assert_eq!(file_of(&link), file);
        assert_eq!(file_of(&loose), here.join("later"));
        assert_eq!(file_of(&here.join("new")), here.join("new"));
        let error = Destination::of(&here).unwrap_err();
        assert!(error.to_string().contains("directory"), "{error}");
        symlink("b", here.join("a")).unwrap();
        symlink("a", here.join("b")).unwrap();
        assert!(Destination::of(&here.join("a")).is_err());
    }

    #[test]
    fn what_is_no_file_is_given_what_is_whole_and_leaves_nothing_behind() {
        for name in ["-", "/dev/stdout", "/dev/null"] {
            let destination = Destination::of(Path::new(name)).unwrap();
            let gathered = destination.file();
            assert!(gathered.parent().unwrap().exists(), "{name}");
            if name == "/dev/null" {
                std::fs::write(&gathered, "whole").unwrap();
                assert_eq!(destination.deliver().unwrap(), Path::new(name));
            } else {
                drop(destination);
            }
            assert!(!gathered.parent().unwrap().exists(), "{name}");
        }
    }
}

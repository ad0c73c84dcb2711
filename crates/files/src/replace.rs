//! Replaces a file as a whole, through a partial file beside it.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufWriter, Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use crate::lock::{Lock, lock};
use crate::open::{create_folders, create_new, open_own};
use crate::owner::is_removed;

/// How often another name is tried for a partial file.
const ATTEMPTS: usize = 16;
const ENDING: &str = ".partial";

/// Writes a new file beside `path` and renames it, so that no reader sees half of it. The new file is readable for its
/// owner only, unless `path` exists: then it keeps that file's mode. A link at either name is replaced, and not
/// followed. Missing folders are created.
///
/// # Errors
/// Those of `fill`; the file system's. Nothing is left behind, unless the process is killed: see [`remove_stale`].
pub fn replace(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    if let Some(folder) = path.parent() {
        create_folders(folder)?;
    }
    let (partial, file) = create_partial(path)?;
    // The file stays open, and with it the lock, until it has its name.
    let written = keep_mode(&file, path).and_then(|()| {
        let mut file = BufWriter::new(file);
        fill(&mut file)?;
        file.flush()?;
        std::fs::rename(&partial, path)
    });
    written.inspect_err(|_| {
        let _ = std::fs::remove_file(&partial);
    })
}

/// A partial file beside `path`, locked by this process.
fn create_partial(path: &Path) -> Result<(PathBuf, File)> {
    for _ in 0..ATTEMPTS {
        let partial = partial_of(path);
        let file = create_new(&partial)?;
        // Another process may have taken it for a stale one before it was locked.
        if lock(&file)? != Lock::Busy && !is_removed(&file)? {
            return Ok((partial, file));
        }
    }
    Err(Error::other("another program removes partial files from the folder"))
}

/// A short name, since a longer one than that of the file may be too long.
fn partial_of(path: &Path) -> PathBuf {
    let random = RandomState::new().hash_one(path);
    path.with_file_name(format!(".{random:016x}{ENDING}"))
}

fn keep_mode(file: &File, path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(before) if before.is_file() => file.set_permissions(before.permissions()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes the partial files that killed processes of this user have left in a folder and the folders in it; returns
/// their number. A file that a process is writing is locked, and stays; so does everything where the file system has no
/// locks. Links are not followed.
///
/// # Errors
/// When a folder cannot be read.
pub fn remove_stale(folder: &Path) -> Result<usize> {
    let (mut removed, mut folders) = (0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_str().is_some_and(is_partial) {
                removed += usize::from(remove_if_stale(&entry.path()));
            }
        }
    }
    Ok(removed)
}

fn is_partial(name: &str) -> bool {
    let number = name.strip_prefix('.').and_then(|name| name.strip_suffix(ENDING));
    number.is_some_and(|number| {
        number.len() == 16 && number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A file that cannot be judged stays.
fn remove_if_stale(path: &Path) -> bool {
    let Ok(file) = open_own(path) else { return false };
    lock(&file).is_ok_and(|lock| lock == Lock::Taken) && std::fs::remove_file(path).is_ok()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> Result<u32> {
        Ok(std::fs::symlink_metadata(path)?.permissions().mode() & 0o7777)
    }

    fn count(folder: &Path) -> Result<usize> {
        Ok(std::fs::read_dir(folder)?.count())
    }

    #[test]
    fn a_new_file_is_its_owner_s_and_an_old_one_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in/a.json");
        replace(&path, |file| file.write_all(b"one")).unwrap();
        assert_eq!((mode(&path).unwrap(), mode(path.parent().unwrap()).unwrap()), (0o600, 0o700));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, |file| file.write_all(b"two")).unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), mode(&path).unwrap()), (b"two".to_vec(), 0o640));
        let failed = replace(&path, |_| Err(ErrorKind::StorageFull.into()));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(
            (std::fs::read(&path).unwrap(), count(path.parent().unwrap()).unwrap()),
            (b"two".to_vec(), 1)
        );
    }

    #[test]
    fn a_link_is_replaced_and_its_target_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (target, path) = (folder.path().join("target"), folder.path().join("a.json"));
        std::fs::write(&target, "theirs").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        replace(&path, |file| file.write_all(b"ours")).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"theirs");
        assert_eq!(std::fs::read(&path).unwrap(), b"ours");
    }

    #[test]
    fn stale_partials_go_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (stale, linked) = (".0123456789abcdef.partial", ".fedcba9876543210.partial");
        for name in [stale, ".0123456789abcdeg.partial", "a.partial", ".partial", "a.json"] {
            std::fs::write(at(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(at("a.json"), at(linked)).unwrap();
        let inner = at("in/folder/.aaaabbbbccccdddd.partial");
        create_folders(inner.parent().unwrap()).unwrap();
        std::fs::write(&inner, "x").unwrap();
        replace(&at("b.json"), |file| {
            file.write_all(b"x")?;
            // The file in progress is one of those in the folder.
            assert_eq!(count(folder.path())?, 8);
            assert_eq!(remove_stale(folder.path())?, 2);
            Ok(())
        })
        .unwrap();
        assert!(!at(stale).exists() && at(linked).is_symlink() && at("b.json").is_file());
        assert_eq!((inner.exists(), count(folder.path()).unwrap()), (false, 7));
    }
}

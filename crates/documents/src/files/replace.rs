//! Replaces a file as a whole: other people's papers, so that only its owner may read it.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// Writes a new file beside `path` and renames it. The new file is readable for its owner only, unless `path` exists:
/// then it keeps that file's mode. A link at either name is replaced, and not followed.
pub(super) fn replace(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    if let Some(folder) = path.parent() {
        create_folders(folder)?;
    }
    let partial = partial_of(path);
    let file = create(&partial)?;
    let written = keep_mode(&file, path).and_then(|()| {
        let mut file = BufWriter::new(file);
        fill(&mut file)?;
        file.flush()
    });
    written.and_then(|()| std::fs::rename(&partial, path)).inspect_err(|_| {
        let _ = std::fs::remove_file(&partial);
    })
}

/// A short name, since a longer one than that of the file may be too long.
fn partial_of(path: &Path) -> PathBuf {
    let random = compartment_core::backend::random();
    path.with_file_name(format!(".{random:016x}.partial"))
}

fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Creates a folder for the results of documents, and its missing parents, for their owner only. Folders that exist keep
/// their mode.
///
/// # Errors
/// The file system's.
pub fn create_folders(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn keep_mode(file: &File, path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(before) if before.is_file() => file.set_permissions(before.permissions()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
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
}

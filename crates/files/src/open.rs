//! Opens and creates private files, and folders for them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::owner;

/// Creates a file that must not exist, for its owner only. A link at its name is an error.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]; the file system's.
pub fn create_new(path: &Path) -> io::Result<File> {
    private().read(true).write(true).create_new(true).open(path)
}

/// Opens a file of this user, for reading and writing, or creates it. One that other users could read is made private.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] for a file that another user owns or can write, or with a second name; an error
/// for a link and for anything but a regular file; the file system's.
pub fn continue_or_create(path: &Path) -> io::Result<File> {
    match create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = open_own(path)?;
            #[cfg(unix)]
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            Ok(file)
        }
        created => created,
    }
}

/// Opens a file of this user, for reading and writing.
///
/// # Errors
/// As [`continue_or_create`]; [`io::ErrorKind::NotFound`].
pub fn open_own(path: &Path) -> io::Result<File> {
    if std::fs::symlink_metadata(path)?.is_symlink() {
        let what = "it is a link and not a regular file; remove it, or choose another name";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    let file = private().read(true).write(true).open(path)?;
    owner::check(&file)?;
    Ok(file)
}

/// Creates a folder and its missing parents, for their owner only. Folders that exist keep their mode.
///
/// # Errors
/// The file system's.
pub fn create_folders(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A new file has mode 0600. A link is not followed, and a pipe is not waited for.
#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits() as i32);
    options
}

#[cfg(not(unix))]
fn private() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).map_or(0, |found| found.permissions().mode() & 0o7777)
    }

    #[test]
    fn a_new_file_and_its_folders_are_its_owner_s() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        create_folders(&inner).unwrap();
        create_folders(&inner).unwrap();
        assert_eq!((mode(&inner), mode(inner.parent().unwrap())), (0o700, 0o700));
        for (name, open) in [("new", create_new as fn(&Path) -> _), ("own", continue_or_create)] {
            open(&inner.join(name)).unwrap();
            assert_eq!(mode(&inner.join(name)), 0o600);
        }
        let again = create_new(&inner.join("new")).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_that_others_could_change_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("target"), "theirs").unwrap();
        symlink(at("target"), at("link")).unwrap();
        symlink(at("nowhere"), at("loose")).unwrap();
        std::fs::write(at("twice"), "theirs").unwrap();
        std::fs::hard_link(at("twice"), at("second name")).unwrap();
        std::fs::write(at("writable"), "theirs").unwrap();
        std::fs::set_permissions(at("writable"), Permissions::from_mode(0o666)).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for name in ["link", "loose", "twice", "writable", "folder"] {
            let error = continue_or_create(&at(name)).err();
            assert!(error.is_some(), "{name}");
            assert!(create_new(&at(name)).is_err(), "{name}");
        }
        assert!(!at("nowhere").exists());
        assert_eq!(std::fs::read(at("target")).unwrap(), b"theirs");
        std::fs::set_permissions(at("target"), Permissions::from_mode(0o644)).unwrap();
        continue_or_create(&at("target")).unwrap();
        assert_eq!(
            (mode(&at("target")), std::fs::read(at("target")).unwrap()),
            (0o600, b"theirs".to_vec())
        );
    }
}

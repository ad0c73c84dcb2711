//! The configuration file: which one is taken, whether it can be trusted, and the passwords in it.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use compartment::DatabaseMapBuilder;
use compartment_admin::doctor::WrittenSecret;

use crate::exit_code::{CliError, ExitCode};

/// The file that is read if none is named.
pub(crate) const DEFAULT_FILE: &str = "compartment.toml";

/// A configuration file that was read.
#[derive(Debug)]
pub(crate) struct ConfigurationFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Whether an argument or the environment names it. A file that is only found may have come with a folder of
    /// somebody else, such as a downloaded project.
    pub(crate) is_named: bool,
    others_may_read: bool,
}

impl ConfigurationFile {
    /// The named file, or `compartment.toml` of the working folder if there is one.
    ///
    /// # Errors
    /// A file that cannot be read; one that is not named and is not the user's alone.
    pub(crate) fn find(named: Option<&Path>) -> Result<Option<Self>, CliError> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        if named.is_none() && std::fs::symlink_metadata(path).is_err() {
            return Ok(None);
        }
        let failed = |error: std::io::Error| CliError::files("read", path, &error);
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if named.is_none() {
            check_own(path, &metadata)?;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let (path, is_named) = (path.to_owned(), named.is_some());
        Ok(Some(Self { path, text, is_named, others_may_read: others_may_read(&metadata) }))
    }

    /// The passwords that stand in the file itself.
    pub(crate) fn written_secrets(&self) -> Vec<WrittenSecret> {
        // Without the environment and the flags, which hold passwords where they belong.
        let map = DatabaseMapBuilder::toml(&self.text).and_then(DatabaseMapBuilder::build);
        let Ok(map) = map else { return Vec::new() };
        let mut holders: Vec<String> = Vec::new();
        for (name, instance) in map.instances() {
            holders.extend(instance.url.password().is_some().then(|| name.clone()));
        }
        let ledger = map.ledger().address.as_ref();
        holders.extend(ledger.filter(|one| one.has_password()).map(|_| "the ledger".to_owned()));
        let secret = |instance: String| WrittenSecret {
            instance,
            file: self.path.display().to_string(),
            others_may_read: self.others_may_read,
        };
        holders.into_iter().map(secret).collect()
    }
}

/// Refuses a file that somebody else may have written: the file, a link to it and its folder have to belong to the user
/// or to root, and nobody else may write to them.
#[cfg(unix)]
fn check_own(path: &Path, file: &Metadata) -> Result<(), CliError> {
    use std::os::unix::fs::MetadataExt;

    let user = rustix::process::geteuid().as_raw();
    let failed = |error: std::io::Error| CliError::files("read", path, &error);
    let link = std::fs::symlink_metadata(path).map_err(failed)?;
    let folder = std::fs::metadata(".").map_err(failed)?;
    let target = path.canonicalize().map_err(failed)?;
    let of_target = target.parent().unwrap_or_else(|| Path::new("/"));
    let of_target = std::fs::metadata(of_target).map_err(failed)?;
    for (what, found) in
        [("it", file), ("it", &link), ("its folder", &folder), ("its folder", &of_target)]
    {
        let owner = found.uid();
        if owner != user && owner != 0 {
            return Err(foreign(path, &format!("{what} belongs to another user (number {owner})")));
        }
        // The rights of a link itself mean nothing.
        if !found.is_symlink() && others_may_write(found.mode(), owner, found.gid()) {
            return Err(foreign(path, &format!("other users can write to {what}")));
        }
    }
    Ok(())
}

/// Whether others than the owner may write. A group with its owner's number is the owner's alone, as `useradd` makes it
/// on systems whose umask is 002; root's group has members of its own.
#[cfg(unix)]
fn others_may_write(mode: u32, owner: u32, group: u32) -> bool {
    let is_private_group = owner != 0 && group == owner;
    mode & if is_private_group { 0o002 } else { 0o022 } != 0
}

/// Not known: rights are lists there.
#[cfg(not(unix))]
fn check_own(_path: &Path, _file: &Metadata) -> Result<(), CliError> {
    Ok(())
}

#[cfg(unix)]
fn foreign(path: &Path, why: &str) -> CliError {
    let what = format!("{} of this folder is not read: {why}", path.display());
    CliError::new(ExitCode::Configuration, what).hint(format!(
        "name it with --config {0} or COMPARTMENT_CONFIG if you trust it, or correct the owner and the rights \
         (chmod go-w) of file and folder",
        path.display()
    ))
}

/// Whether other users of the machine may read a file.
#[cfg(unix)]
pub(crate) fn others_may_read(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o044 != 0
}

/// Not known: rights are lists there.
#[cfg(not(unix))]
pub(crate) fn others_may_read(_file: &Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_group_of_the_owner_alone_may_write() {
        assert!(!others_may_write(0o100_644, 1_000, 100));
        assert!(!others_may_write(0o100_664, 1_000, 1_000));
        assert!(others_may_write(0o100_664, 1_000, 100));
        assert!(others_may_write(0o100_666, 1_000, 1_000));
        assert!(others_may_write(0o100_664, 0, 0), "root's group has members");
    }
}

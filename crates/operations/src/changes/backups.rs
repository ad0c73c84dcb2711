//! Plans backups of a database to a new file in the folder that the operator named.

use std::path::{Path, PathBuf};

use compartment_admin::backup::{BackupOptions, backup};
use compartment_admin::{AdminError, Place, Silent, Walk};
use serde_json::{Value, json};

use super::counted::{Bound, Counted, digest};
use super::keys::limits;
use super::placed::bound_to;
use super::{ChangeError, Changes};
use crate::counted;

/// The longest name of a file, in bytes.
const MAX_NAME: usize = 100;

impl Changes {
    pub(super) async fn count_backup(
        &self,
        database: &str,
        file: &Path,
    ) -> Result<Counted, ChangeError> {
        let path = self.backup_file(file)?;
        let place = self.place(database).await?;
        let keys = keys_of(&place).await?;
        let server = bound_to(&place);
        let mut partial = path.clone().into_os_string();
        partial.push(".partial");
        let taken = [path.as_path(), Path::new(&partial)]
            .into_iter()
            .find(|path| path.symlink_metadata().is_ok());
        let refusals = taken.map(|taken| {
            format!("{} exists already, and is not replaced: choose another name", taken.display())
        });
        let shown = path.display().to_string();
        Ok(Counted {
            summary: format!(
                "write about {} of {database} to {shown}, and change no key",
                counted(keys, "key")
            ),
            touches: vec![format!("new file {shown}")],
            count: keys,
            // Keys may come and go: a backup has those that are there, and harms none.
            digest: digest([server.as_str(), &shown]),
            server,
            refusals: refusals.into_iter().collect(),
            dry_run: json!({ "file": shown, "keys": keys }),
            before: Value::Null,
            bound: Bound::Nothing,
        })
    }

    /// Writes the backup over an empty file that is made first, so that no other file is ever replaced.
    pub(super) async fn write_backup(
        &self,
        database: &str,
        file: &Path,
    ) -> Result<(String, u64, Value), ChangeError> {
        let path = self.backup_file(file)?;
        let place = self.place(database).await?;
        compartment_files::create_new(&path).map_err(AdminError::file("create", &path))?;
        let options = BackupOptions::default().limits(limits());
        let written = backup(&place, None, &path, &options, &Silent).await;
        let report = written.inspect_err(|_| {
            // Empty, and made above.
            let _ = std::fs::remove_file(&path);
        })?;
        let text = format!(
            "{} of {database} are in {}, {}",
            counted(report.keys, "key"),
            path.display(),
            compartment_admin::size(report.bytes)
        );
        Ok((text, report.keys, json!({ "file": path, "keys": report.keys, "bytes": report.bytes })))
    }

    /// The file of that name in the folder for backups.
    fn backup_file(&self, file: &Path) -> Result<PathBuf, ChangeError> {
        let Some(folder) = self.backup_folder() else {
            let what = "backups need a folder that the operator named with --backup-folder";
            return Err(ChangeError::NotAllowed(what.to_owned()));
        };
        let name = file.to_str().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty()
            || name.len() > MAX_NAME
            || name.starts_with(['.', '-'])
            || !name.bytes().all(is_plain)
        {
            return Err(ChangeError::Invalid(format!(
                "a backup's file is named without a folder, by 1 to {MAX_NAME} letters, digits, dots, dashes and \
                 underscores, such as cache.rdb"
            )));
        }
        Ok(folder.join(name))
    }
}

async fn keys_of(place: &Place) -> Result<u64, ChangeError> {
    if let Some(keys) = place.known_keys().await {
        return Ok(keys);
    }
    let mut walk = Walk::start(place, None).await?;
    let mut keys = 0;
    while let Some(page) = walk.next_page().await? {
        keys += page.len() as u64;
    }
    Ok(keys)
}

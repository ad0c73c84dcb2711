//! The files of a folder of results, one after another: memory is bounded by the largest.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::files::DocumentFile;

/// A file of the folder that holds no results.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub why: String,
}

/// Calls `each` with every file of results below `folder`, in the order of their names, until it breaks. Returns the
/// files that could not be read.
///
/// # Errors
/// If the folder cannot be listed, or holds no results.
pub fn walk(
    folder: &Path,
    mut each: impl FnMut(DocumentFile) -> ControlFlow<()>,
) -> std::io::Result<Vec<Unreadable>> {
    walk_files(folder, |_, file| each(file))
}

/// As [`walk`], with the path of each file.
pub(super) fn walk_files(
    folder: &Path,
    mut each: impl FnMut(&Path, DocumentFile) -> ControlFlow<()>,
) -> std::io::Result<Vec<Unreadable>> {
    let mut unreadable = Vec::new();
    let mut folders = vec![folder.to_owned()];
    let mut found = false;
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            entries.push(entry?.path());
        }
        entries.sort();
        for path in entries {
            // A link may lead back to a folder above.
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            match DocumentFile::read(&path) {
                Ok(file) => {
                    found = true;
                    if each(&path, file).is_break() {
                        return Ok(unreadable);
                    }
                }
                Err(error) => unreadable.push(Unreadable { path, why: error.to_string() }),
            }
        }
    }
    if !found && unreadable.is_empty() {
        let what = format!("{} holds no results of `ingest --out`", folder.display());
        return Err(std::io::Error::new(std::io::ErrorKind::NotFound, what));
    }
    Ok(unreadable)
}

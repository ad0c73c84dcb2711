//! Where the development set of dumps is, if it is there.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "test support")]

use std::path::{Path, PathBuf};

/// A folder of the set; `None`, said aloud, where there is none.
pub(crate) fn dumps(folder: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("COMPARTMENT_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("rdb").join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: the development set is not at {}", folder.display());
    None
}

/// The files of a folder of the set, sorted; none where the set is not there.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let Some(folder) = dumps(folder) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rdb"));
    files.sort();
    files
}

/// A file's name, for messages.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

//! Where the development set of dumps is, if it is there.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "test support")]

use std::path::{Path, PathBuf};

use compartment_testkit::ServerProgram;

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

/// The files of the set that the server of the tests loads: one before 7.0 reads no file of 7.0.
pub(crate) fn loaded_files() -> Vec<PathBuf> {
    let newest = ServerProgram::usual().rdb_version();
    let mut files = files("loads");
    files.retain(|path| rdb_version(path) <= newest);
    files
}

/// The version in the file's head, after the five letters of its magic.
fn rdb_version(path: &Path) -> u32 {
    let head = std::fs::read(path).unwrap();
    std::str::from_utf8(&head[5..9]).unwrap().parse().unwrap()
}

/// A file's name, for messages.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

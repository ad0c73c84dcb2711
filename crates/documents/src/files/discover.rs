//! Finds the documents below the paths that were given.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use compartment_pipeline::StageError;
use walkdir::{DirEntry, WalkDir};

/// A file to read, and the name it goes by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The name in reports: its path below what was given.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl Found {
    /// The file at a path, named by the path's last part.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self { name, path }
    }
}

/// What is below the paths.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Discovery {
    /// The files to read, by name.
    pub files: Vec<Found>,
    /// What could not be looked at: each is a document that failed.
    pub failures: Vec<(String, StageError)>,
    /// Files whose ending says that they are no documents.
    pub skipped: u64,
}

/// Endings of documents; a file without one is looked into. A file that is named itself is taken
/// whatever its ending.
const ENDINGS: [&str; 6] = ["pdf", "txt", "text", "html", "htm", "xhtml"];

/// Walks `paths`. Follows links, notices loops, leaves hidden files out.
#[must_use]
pub fn discover(paths: &[PathBuf]) -> Discovery {
    let mut discovery = Discovery::default();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => walk(path, &mut discovery),
            Ok(_) => discovery.files.push(Found::at(path.clone())),
            Err(error) => discovery.fail(path.display().to_string(), &error),
        }
    }
    discovery.files.sort();
    // A file reached by two ways is one file.
    let mut seen = BTreeSet::new();
    discovery
        .files
        .retain(|file| seen.insert(file.path.canonicalize().unwrap_or(file.path.clone())));
    discovery
}

impl Discovery {
    fn fail(&mut self, name: String, error: &std::io::Error) {
        self.failures.push((name, unreadable(error)));
    }
}

/// A file or folder that the system does not let us read.
pub(crate) fn unreadable(error: &std::io::Error) -> StageError {
    StageError::new("unreadable", format!("it cannot be read: {error}")).transient()
}

/// Walks one folder; names are paths below it.
fn walk(folder: &Path, discovery: &mut Discovery) {
    let is_shown = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    for entry in WalkDir::new(folder).follow_links(true).into_iter().filter_entry(is_shown) {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) if is_document(entry.path()) => {
                let name = name_below(folder, entry.path());
                discovery.files.push(Found { name, path: entry.into_path() });
            }
            Ok(_) => discovery.skipped += 1,
            Err(error) => {
                let name = name_below(folder, error.path().unwrap_or(folder));
                // A name that begins with a dot is left out, whatever it is.
                if !name.rsplit('/').next().is_some_and(|last| last.starts_with('.')) {
                    discovery.failures.push((name, not_walked(error)));
                }
            }
        }
    }
}

/// The path below `folder`, with `/` between its parts; the folder itself by its own path.
fn name_below(folder: &Path, path: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    if parts.is_empty() { folder.display().to_string() } else { parts.join("/") }
}

fn not_walked(error: walkdir::Error) -> StageError {
    if error.loop_ancestor().is_some() {
        let message = "the folder links back to a parent folder: the loop is not followed";
        return StageError::new("folder_loop", message);
    }
    unreadable(&error.into())
}

fn is_document(path: &Path) -> bool {
    path.extension().is_none_or(|ending| {
        ENDINGS.iter().any(|known| ending.to_string_lossy().eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(discovery: &Discovery) -> Vec<&str> {
        discovery.files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn folders_are_walked_and_other_files_counted() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("b/c")).unwrap();
        for name in ["z.txt", "b/a.PDF", "b/c/noending", "b/picture.jpg", ".hidden.txt"] {
            std::fs::write(at(name), "x").unwrap();
        }
        let discovery = discover(&[folder.path().to_owned(), at("b/picture.jpg"), at("z.txt")]);
        assert_eq!(names(&discovery), ["b/a.PDF", "b/c/noending", "picture.jpg", "z.txt"]);
        assert_eq!(discovery.skipped, 1);
        assert!(discovery.failures.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn loops_and_dead_links_are_failures_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("in")).unwrap();
        std::fs::write(at("in/a.txt"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path(), at("in/again")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dead.txt")).unwrap();
        std::os::unix::fs::symlink(at("round"), at("round")).unwrap();
        let discovery = discover(&[folder.path().to_owned()]);
        assert_eq!(names(&discovery), ["in/a.txt"]);
        let failed: Vec<_> =
            discovery.failures.iter().map(|(name, error)| (name.as_str(), error.code)).collect();
        assert_eq!(
            failed,
            [("dead.txt", "unreadable"), ("in/again", "folder_loop"), ("round", "unreadable")]
        );
    }

    #[test]
    fn a_path_that_is_not_there_is_a_failure() {
        let discovery = discover(&["/no/such/place".into()]);
        assert_eq!(discovery.failures[0].1.code, "unreadable");
    }
}

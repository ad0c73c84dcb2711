//! Finds the documents below the given paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use compartment_pipeline::StageError;

use super::opening::unreadable;
use super::roots::{DocumentRoots, OUTSIDE};

/// A file to read, with its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The name in reports: its path below the given one.
    pub name: String,
    /// Its path.
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

/// Which links a search follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// Those that stay below the given paths. A link that leads out is a failure: somebody else may have put it
    /// there.
    #[default]
    Inside,
    /// All.
    Everywhere,
}

/// The result of a search.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Discovery {
    /// The files to read, sorted by name.
    pub files: Vec<Found>,
    /// Files and folders that could not be read; each counts as a failed document.
    pub failures: Vec<(String, StageError)>,
    /// Number of files whose extension is not that of a document.
    pub skipped: u64,
    /// From where the files may be read: the given paths, unless every link is followed. A file that a link takes the
    /// place of after the search is refused.
    pub roots: DocumentRoots,
}

/// Extensions of documents. A file without an extension is examined; a file that is given
/// explicitly is always taken.
const ENDINGS: [&str; 8] = ["pdf", "txt", "text", "html", "htm", "xhtml", "docx", "eml"];

/// Walks `paths`. Follows links as `links` says, detects loops, and skips hidden files.
#[must_use]
pub fn discover(paths: &[PathBuf], links: Links) -> Discovery {
    let mut discovery = Discovery::default();
    if links == Links::Inside {
        // A path that does not exist is a failure below.
        let there = paths.iter().filter(|path| path.canonicalize().is_ok());
        discovery.roots = DocumentRoots::below(there).unwrap_or_default();
    }
    for path in paths {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                walk(path, "", &mut Vec::new(), &mut discovery);
            }
            Ok(_) => discovery.files.push(Found::at(path.clone())),
            Err(error) => discovery.fail(path.display().to_string(), &error),
        }
    }
    discovery.files.sort();
    // A file reached by two paths counts once.
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

    /// Lists a link that leads out of the given paths as a failure; returns whether it does.
    fn refuses(&mut self, path: &Path, name: &str) -> bool {
        if !path.is_symlink() {
            return false;
        }
        match path.canonicalize() {
            Ok(real) if !self.roots.has(&real) => {
                let what = format!(
                    "it is a link that leads out of the given paths, to {}: give that path too, or follow \
                     every link with --follow-links",
                    real.display()
                );
                self.failures.push((name.to_owned(), StageError::new(OUTSIDE, what)));
                true
            }
            _ => false,
        }
    }
}

/// Walks a folder. `above` has the canonical paths of its parents.
fn walk(folder: &Path, name: &str, above: &mut Vec<PathBuf>, discovery: &mut Discovery) {
    let shown = || if name.is_empty() { folder.display().to_string() } else { name.to_owned() };
    let real = match folder.canonicalize() {
        Ok(real) => real,
        Err(error) => return discovery.fail(shown(), &error),
    };
    if above.contains(&real) {
        let message = "the folder links back to a parent folder: the loop is not followed";
        discovery.failures.push((shown(), StageError::new("folder_loop", message)));
        return;
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return discovery.fail(shown(), &error),
    };
    above.push(real);
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let file_name = entry.file_name().to_string_lossy().into_owned();
        if file_name.starts_with('.') {
            continue;
        }
        let name = if name.is_empty() { file_name } else { format!("{name}/{file_name}") };
        let path = entry.path();
        let metadata = std::fs::metadata(&path);
        let is_wanted = metadata.as_ref().is_ok_and(|it| it.is_dir() || is_document(&path));
        if is_wanted && discovery.refuses(&path, &name) {
            continue;
        }
        match metadata {
            Ok(metadata) if metadata.is_dir() => walk(&path, &name, above, discovery),
            Ok(_) if is_document(&path) => discovery.files.push(Found { name, path }),
            Ok(_) => discovery.skipped += 1,
            // A dangling link or a loop of links.
            Err(error) => discovery.fail(name, &error),
        }
    }
    above.pop();
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
        let discovery =
            discover(&[folder.path().to_owned(), at("b/picture.jpg"), at("z.txt")], Links::Inside);
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
        let discovery = discover(&[folder.path().to_owned()], Links::Inside);
        assert_eq!(names(&discovery), ["in/a.txt"]);
        let failed: Vec<_> =
            discovery.failures.iter().map(|(name, error)| (name.as_str(), error.code)).collect();
        assert_eq!(
            failed,
            [("dead.txt", "unreadable"), ("in/again", "folder_loop"), ("round", "unreadable")]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_out_are_failures_unless_they_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["in/sub", "out/deep"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["in/a.txt", "in/sub/b.txt", "out/c.txt", "out/deep/d.txt", "out/e.jpg"] {
            std::fs::write(at(name), name).unwrap();
        }
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, at(name)).unwrap();
        link("a.txt", "in/inner.txt");
        link("sub", "in/inner");
        link("../out/c.txt", "in/leaving.txt");
        link("../out", "in/leaving");
        link("leaving/c.txt", "in/twice.txt");
        link("../out/e.jpg", "in/picture.jpg");
        link("in", "given");
        let codes = |paths: &[PathBuf], links| {
            let found = discover(paths, links);
            let failed = found.failures.iter().map(|(name, error)| (name.clone(), error.code));
            (found.files.len(), failed.collect::<Vec<_>>())
        };
        let outside =
            ["leaving", "leaving.txt", "twice.txt"].map(|name| (name.to_owned(), OUTSIDE));
        for given in ["in", "given"] {
            assert_eq!(codes(&[at(given)], Links::Inside), (2, outside.to_vec()), "{given}");
        }
        assert_eq!(codes(&[at("in")], Links::Everywhere), (4, Vec::new()));
        // A path that is given is followed, and so are links to it.
        assert_eq!(codes(&[at("in"), at("out")], Links::Inside), (4, Vec::new()));
        assert_eq!(codes(&[at("in/leaving.txt")], Links::Inside), (1, Vec::new()));
        let found = discover(&[at("in")], Links::Inside);
        let opened = |name: &str| found.roots.open(&at(name)).map_err(|error| error.code).is_ok();
        assert!(opened("in/a.txt") && !opened("out/c.txt") && !opened("in/leaving.txt"));
    }

    #[test]
    fn a_path_that_is_not_there_is_a_failure() {
        let discovery = discover(&["/no/such/place".into()], Links::Inside);
        assert_eq!(discovery.failures[0].1.code, "unreadable");
    }
}

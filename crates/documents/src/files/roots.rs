//! The folders below which documents are read, and the opening of files that cannot lie elsewhere.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use compartment_pipeline::StageError;

use super::opening::{open_any, open_without_links, unreadable};

/// Which files may be read as documents. Cheap to clone.
///
/// - The default reads any file that an entry names together with the hash of its content. Whoever writes the entry
///   has to know the content already. An entry that is a path alone is refused.
/// - [`DocumentRoots::below`] reads only files below some folders, whatever an entry says, and there entries that
///   are a path alone too. A path that leads out of them, also by a link, is the failure `outside` of its document.
///
/// # Races
/// A file is looked up by its canonical path and then opened from `/`, part by part, without following a link. A
/// link that somebody puts in place between the two is not followed. On systems other than Unix the path is looked up
/// again after the file was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentRoots {
    /// Canonical paths of folders, and of single files.
    roots: Option<Arc<[PathBuf]>>,
}

impl DocumentRoots {
    /// Only files below these folders; a path of a file stands for this file.
    ///
    /// # Errors
    /// The system's, with the path, for a path that does not exist or cannot be looked up.
    pub fn below<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> io::Result<Self> {
        let canonical = |path: P| {
            let path = path.as_ref();
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            path.canonicalize().map_err(named)
        };
        Ok(Self { roots: Some(paths.into_iter().map(canonical).collect::<io::Result<_>>()?) })
    }

    /// The canonical folders; `None` if no folders are set.
    #[must_use]
    pub fn folders(&self) -> Option<&[PathBuf]> {
        self.roots.as_deref()
    }

    /// Whether a canonical path is a root or below one.
    pub(crate) fn has(&self, real: &Path) -> bool {
        self.roots.as_ref().is_none_or(|roots| roots.iter().any(|root| real.starts_with(root)))
    }

    /// Opens the file of a document. Blocks.
    ///
    /// # Errors
    /// The document's failure: `outside`, `not_a_file`, or the system's.
    pub(crate) fn open(&self, path: &Path) -> Result<File, StageError> {
        if self.roots.is_none() {
            return open_any(path);
        }
        let real = match path.canonicalize() {
            Ok(real) if self.has(&real) => real,
            // A path elsewhere has one answer, so that nobody learns which files there are.
            Err(error) if self.has(path) && !has_parents(path) => return Err(unreadable(&error)),
            _ => return Err(outside(path)),
        };
        open_without_links(&real, |opened| self.has(opened))
    }
}

/// Whether a path may lead elsewhere than its beginning says.
fn has_parents(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

/// The failure of a document whose path leads out of the roots.
fn outside(path: &Path) -> StageError {
    let what = format!(
        "its path {} leads out of the folders that documents are read from: name its folder too, with \
         --documents or `documents` of [worker], or submit it from one of them",
        path.display()
    );
    StageError::new(OUTSIDE, what)
}

/// The code of a document that is not below the roots.
pub(crate) const OUTSIDE: &str = "outside";

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    fn code(roots: &DocumentRoots, path: &Path) -> Result<String, &'static str> {
        let mut text = String::new();
        let mut file = roots.open(path).map_err(|error| error.code)?;
        file.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    #[test]
    fn files_below_are_read_and_everything_else_is_outside() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["in/sub", "in-too", "out"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["in/a.txt", "in/sub/b.txt", "in-too/c.txt", "out/d.txt"] {
            std::fs::write(at(name), name).unwrap();
        }
        symlink("sub/b.txt", at("in/inner")).unwrap();
        symlink("../out/d.txt", at("in/leaving")).unwrap();
        symlink(at("out"), at("in/folder")).unwrap();
        symlink(at("in"), at("alias")).unwrap();
        symlink("nowhere", at("in/dead")).unwrap();
        let roots = DocumentRoots::below([at("alias")]).unwrap();
        for (name, wanted) in [
            ("in/a.txt", Ok("in/a.txt")),
            ("in/inner", Ok("in/sub/b.txt")),
            ("alias/sub/../a.txt", Ok("in/a.txt")),
            ("in/../in/sub/b.txt", Ok("in/sub/b.txt")),
            ("in-too/c.txt", Err(OUTSIDE)),
            ("out/d.txt", Err(OUTSIDE)),
            ("in/../out/d.txt", Err(OUTSIDE)),
            ("in/leaving", Err(OUTSIDE)),
            ("in/folder/d.txt", Err(OUTSIDE)),
            ("out/missing.txt", Err(OUTSIDE)),
            ("in/../out/missing.txt", Err(OUTSIDE)),
            ("in/missing.txt", Err("unreadable")),
            ("in/dead", Err("unreadable")),
            ("in/sub", Err("not_a_file")),
        ] {
            let real = at("in").canonicalize().unwrap();
            let path = match name.strip_prefix("in/") {
                Some(rest) => real.join(rest),
                None => at(name),
            };
            assert_eq!(code(&roots, &path), wanted.map(str::to_owned), "{name}");
        }
        for path in ["/proc/self/environ", "/etc/passwd", "/dev/null", "a.txt", ""] {
            assert_eq!(code(&roots, Path::new(path)), Err(OUTSIDE), "{path}");
        }
        assert_eq!(code(&DocumentRoots::default(), &at("in/leaving")), Ok("out/d.txt".to_owned()));
        let error = DocumentRoots::below([at("none")]).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }

    #[test]
    fn a_link_that_comes_after_the_look_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        for name in ["in/sub", "out"] {
            std::fs::create_dir_all(here.join(name)).unwrap();
            std::fs::write(here.join(name).join("a.txt"), name).unwrap();
        }
        let roots = DocumentRoots::below([here.join("in")]).unwrap();
        let real = here.join("in/sub/a.txt").canonicalize().unwrap();
        assert!(open_without_links(&real, |path| roots.has(path)).is_ok());
        // The folder becomes a link, then the file does.
        std::fs::rename(here.join("in/sub"), here.join("in/was")).unwrap();
        symlink(here.join("out"), here.join("in/sub")).unwrap();
        assert!(open_without_links(&real, |path| roots.has(path)).is_err());
        std::fs::remove_file(here.join("in/sub")).unwrap();
        std::fs::create_dir(here.join("in/sub")).unwrap();
        symlink(here.join("out/a.txt"), here.join("in/sub/a.txt")).unwrap();
        assert!(open_without_links(&real, |path| roots.has(path)).is_err());
    }

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().canonicalize().unwrap().join("pipe.txt");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let roots = DocumentRoots::below([folder.path()]).unwrap();
        assert_eq!(code(&roots, &pipe), Err("not_a_file"));
        assert_eq!(code(&DocumentRoots::default(), &pipe), Err("not_a_file"));
        // Also when the file becomes a pipe after it was looked at.
        assert!(open_without_links(&pipe, |path| roots.has(path)).is_err());
    }
}

//! The entry of a document: the hash of its content, its name and its file.

use std::path::{Path, PathBuf};

use compartment_core::MAX_ENTRY;
use compartment_core::backend::shown_name;
use compartment_pipeline::StageError;
use serde::{Deserialize, Serialize};

use crate::extract::ExtractOptions;
use crate::files::{DocumentRoots, Found, OUTSIDE, hash_of};

/// The entry of a document: the hash of its content, its name and its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(String, String, PathText)", try_from = "(String, String, PathText)")]
#[non_exhaustive]
pub struct DocumentEntry {
    /// The first half of the content's SHA-256 in hex, used in the keys of results. Of an entry that is read it has 1 to
    /// 64 digits of hex.
    pub hash: String,
    /// Its display name. Of an entry that is read it has at most 255 bytes without control characters.
    pub name: String,
    /// Its path, which must be valid on every worker's machine.
    pub path: PathBuf,
}

/// A path in JSON: text, or bytes if it is not UTF-8.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum PathText {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<&Path> for PathText {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(path.as_os_str().as_encoded_bytes().to_vec()),
        }
    }
}

impl TryFrom<PathText> for PathBuf {
    type Error = String;

    fn try_from(path: PathText) -> Result<Self, String> {
        match path {
            PathText::Text(text) => Ok(text.into()),
            #[cfg(unix)]
            PathText::Bytes(bytes) => Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes))
                .map(|path: std::ffi::OsString| path.into()),
            #[cfg(not(unix))]
            PathText::Bytes(_) => {
                Err("the path is not UTF-8 and comes from another system".to_owned())
            }
        }
    }
}

impl From<DocumentEntry> for (String, String, PathText) {
    fn from(entry: DocumentEntry) -> Self {
        let path = entry.path.as_path().into();
        (entry.hash, entry.name, path)
    }
}

impl TryFrom<(String, String, PathText)> for DocumentEntry {
    type Error = String;

    /// Checks what others may have written.
    fn try_from((hash, name, path): (String, String, PathText)) -> Result<Self, String> {
        let has_length = (1..=MAX_HASH).contains(&hash.len());
        if !has_length || !hash.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(format!("its hash is not a number of 1 to {MAX_HASH} digits in hex"));
        }
        Ok(Self { hash, name: shown_name(&name), path: path.try_into()? })
    }
}

/// The longest entry that is read, in bytes. Entries of a run in one process, which are in no batch, may be longer
/// than those.
const MAX_READ: usize = 16 * MAX_ENTRY;
/// The longest hash of an entry, in hex digits: a whole SHA-256.
const MAX_HASH: usize = 64;

impl DocumentEntry {
    /// The entry of a file. Reads the whole file and blocks.
    ///
    /// # Errors
    /// The document's failure: a file that cannot be read.
    pub fn of(file: &Found) -> Result<Self, StageError> {
        Self::below(file, &DocumentRoots::default())
    }

    /// The entry of a file below `roots`. Reads the whole file and blocks.
    ///
    /// # Errors
    /// The document's failure: a file that cannot be read, or `outside`.
    pub fn below(file: &Found, roots: &DocumentRoots) -> Result<Self, StageError> {
        Ok(Self::with_hash(file, hash_of(&file.path, roots, None)?))
    }

    /// The entry of a file below `roots` that is no larger than `options` allow.
    pub(crate) fn of_readable(
        file: &Found,
        roots: &DocumentRoots,
        options: &ExtractOptions,
    ) -> Result<Self, StageError> {
        Ok(Self::with_hash(file, hash_of(&file.path, roots, Some(options))?))
    }

    fn with_hash(file: &Found, hash: String) -> Self {
        // Other processes may have another working directory.
        let path = std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
        let path = path.canonicalize().unwrap_or(path);
        Self { hash, name: file.name.clone(), path }
    }

    /// Reads a submitted entry: the output of [`DocumentEntry::to_json`].
    ///
    /// # Errors
    /// The document's failure `malformed`.
    pub fn from_json(entry: &[u8]) -> Result<Self, StageError> {
        let malformed = |why: String| {
            let what = format!(
                "the submitted data is not a batch entry (see \"compartment submit --help\"): {why}"
            );
            StageError::new("malformed", what)
        };
        if entry.len() > MAX_READ {
            return Err(malformed(format!("it has more than {MAX_READ} bytes")));
        }
        serde_json::from_slice(entry).map_err(|error| malformed(error.to_string()))
    }

    /// Reads an entry that somebody submitted: the output of [`DocumentEntry::to_json`] or, where `roots` are set,
    /// the absolute path of a file below them. Blocks for a path, whose file is read.
    ///
    /// # Errors
    /// The document's failure.
    pub(crate) fn read(
        entry: &[u8],
        roots: &DocumentRoots,
        options: &ExtractOptions,
    ) -> Result<Self, StageError> {
        let is_path = entry.starts_with(b"/") && entry.len() <= MAX_READ;
        let Some(path) = std::str::from_utf8(entry).ok().filter(|_| is_path) else {
            return Self::from_json(entry);
        };
        if roots.folders().is_none() {
            let what = "its entry is a path alone, which is read only below the folders of --documents or of \
                        `documents` of [worker]: set them, or submit the file with `compartment submit --file`";
            return Err(StageError::new(OUTSIDE, what));
        }
        Self::of_readable(&Found::at(path.into()), roots, options)
    }

    /// The entry in the form in which it is submitted.
    #[must_use]
    pub fn to_json(&self) -> String {
        let path = PathText::from(self.path.as_path());
        serde_json::json!([self.hash, self.name, path]).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef";

    fn entry(path: impl Into<PathBuf>) -> DocumentEntry {
        DocumentEntry { hash: HASH.into(), name: "a.txt".into(), path: path.into() }
    }

    fn read(entry: &[u8], roots: &DocumentRoots) -> Result<DocumentEntry, &'static str> {
        DocumentEntry::read(entry, roots, &ExtractOptions::default()).map_err(|error| error.code)
    }

    #[test]
    fn an_entry_is_three_texts_in_json() {
        let json = entry("/in/a.txt").to_json();
        assert_eq!(json, format!(r#"["{HASH}","a.txt","/in/a.txt"]"#));
        assert_eq!(DocumentEntry::from_json(json.as_bytes()).unwrap(), entry("/in/a.txt"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_reads_back() {
        let path: std::ffi::OsString =
            std::os::unix::ffi::OsStringExt::from_vec(b"/in/\xE4.txt".into());
        let entry = entry(path);
        assert_eq!(DocumentEntry::from_json(entry.to_json().as_bytes()).unwrap(), entry);
    }

    #[test]
    fn an_entry_of_others_is_checked() {
        let none = DocumentRoots::default();
        let long = "0".repeat(65);
        for hash in ["", "h4sh", "*", "../../../../etc/passwd", "0123 4567", &long] {
            let json = serde_json::json!([hash, "a.txt", "/in/a.txt"]).to_string();
            assert_eq!(read(json.as_bytes(), &none), Err("malformed"), "{hash}");
        }
        let long = serde_json::json!([HASH, "n".repeat(MAX_READ), "/in/a.txt"]).to_string();
        assert_eq!(read(long.as_bytes(), &none), Err("malformed"));
        let odd = serde_json::json!([HASH, "\u{1b}[31m".repeat(100), "/in/a.txt"]).to_string();
        let name = read(odd.as_bytes(), &none).unwrap().name;
        assert!(name.len() <= 255 && !name.contains(char::is_control), "{name:?}");
    }

    #[test]
    fn a_path_alone_is_read_only_below_the_roots() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        for name in ["in/a.txt", "b.txt"] {
            std::fs::write(folder.path().join(name), "text").unwrap();
        }
        let path = |name: &str| folder.path().join(name).to_str().unwrap().as_bytes().to_vec();
        let roots = DocumentRoots::below([folder.path().join("in")]).unwrap();
        assert_eq!(read(&path("in/a.txt"), &roots).unwrap().name, "a.txt");
        for name in ["b.txt", "in/../b.txt", "missing.txt"] {
            assert_eq!(read(&path(name), &roots), Err(OUTSIDE), "{name}");
        }
        assert_eq!(read(&path("in/a.txt"), &DocumentRoots::default()), Err(OUTSIDE));
        assert_eq!(read(b"in/a.txt", &roots), Err("malformed"));
    }
}

//! The entry of a document: the hash of its content, its name and its file.

use std::path::{Path, PathBuf};

use compartment_pipeline::StageError;
use serde::{Deserialize, Serialize};

use crate::extract::ExtractOptions;
use crate::files::{Found, hash_of};

/// The entry of a document: the hash of its content, its name and its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(String, String, PathText)", try_from = "(String, String, PathText)")]
#[non_exhaustive]
pub struct DocumentEntry {
    /// The first half of the content's SHA-256 in hex, used in the keys of results.
    pub hash: String,
    /// Its display name.
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

    fn try_from((hash, name, path): (String, String, PathText)) -> Result<Self, String> {
        Ok(Self { hash, name, path: path.try_into()? })
    }
}

impl DocumentEntry {
    /// The entry of a file. Reads the whole file and blocks.
    ///
    /// # Errors
    /// The document's failure: a file that cannot be read.
    pub fn of(file: &Found) -> Result<Self, StageError> {
        Ok(Self::with_hash(file, hash_of(&file.path, None)?))
    }

    /// The entry of a file that is no larger than `options` allow.
    pub(crate) fn of_readable(file: &Found, options: &ExtractOptions) -> Result<Self, StageError> {
        Ok(Self::with_hash(file, hash_of(&file.path, Some(options))?))
    }

    fn with_hash(file: &Found, hash: String) -> Self {
        // Other processes may have another working directory.
        let path = std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
        let path = path.canonicalize().unwrap_or(path);
        Self { hash, name: file.name.clone(), path }
    }

    /// Reads a submitted entry: the output of [`DocumentEntry::to_json`], or the path of a file.
    ///
    /// # Errors
    /// The document's failure, if it is neither.
    pub fn read(entry: &[u8]) -> Result<Self, StageError> {
        if let Ok(entry) = serde_json::from_slice(entry) {
            return Ok(entry);
        }
        let text = std::str::from_utf8(entry).ok().filter(|text| text.starts_with('/'));
        let path = text.map(PathBuf::from).ok_or_else(|| {
            let what = "the submitted data is neither a batch entry (see \"compartment submit --help\") \
                        nor an absolute path of a file";
            StageError::new("malformed", what)
        })?;
        Self::of(&Found::at(path))
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

    fn entry(path: impl Into<PathBuf>) -> DocumentEntry {
        DocumentEntry { hash: "h4sh".into(), name: "a.txt".into(), path: path.into() }
    }

    #[test]
    fn an_entry_is_three_texts_in_json() {
        let json = entry("/in/a.txt").to_json();
        assert_eq!(json, r#"["h4sh","a.txt","/in/a.txt"]"#);
        assert_eq!(DocumentEntry::read(json.as_bytes()).unwrap(), entry("/in/a.txt"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_reads_back() {
        let path: std::ffi::OsString =
            std::os::unix::ffi::OsStringExt::from_vec(b"/in/\xE4.txt".into());
        let entry = entry(path);
        assert_eq!(DocumentEntry::read(entry.to_json().as_bytes()).unwrap(), entry);
    }
}

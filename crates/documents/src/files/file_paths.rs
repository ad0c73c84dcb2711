//! The path of each document's file: below the folder, apart from all others, and not too long for a file system.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// The longest part of a path that is kept as it is, in bytes. File systems take 255; there is room for part of the
/// hash and the ending.
const MAX_PART: usize = 200;
/// The longest name that keeps its folders, in bytes.
const MAX_NAME: usize = 1_000;
const ENDING: &str = ".json";

/// Assigns the path of each document's file. Of several documents with one name, all but the first get part of their
/// hash. Names that differ only in case are one name, since some file systems see it so.
#[derive(Debug, Default)]
pub(crate) struct FilePaths {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl FilePaths {
    /// `folder/name.json`, with part of the hash if that path is taken or the name is too long.
    pub(crate) fn claim(&mut self, folder: &Path, name: &str, hash: &str) -> PathBuf {
        let (parts, is_cut) = parts_of(name);
        let start = &hash[..hash.len().min(8)];
        let suffixes = [String::new(), format!("-{start}"), format!("-{hash}")];
        for suffix in suffixes.iter().skip(usize::from(is_cut)) {
            let path = with_suffix(&parts, suffix);
            if self.take(&path) {
                return folder.join(path);
            }
        }
        // One of its folders may be a file.
        let last = &parts[parts.len() - 1..];
        let mut number = 2_u64;
        loop {
            let path = with_suffix(last, &format!("-{hash}-{number}"));
            if self.take(&path) {
                return folder.join(path);
            }
            number += 1;
        }
    }

    /// Takes a path, unless it is taken, or is another file's folder, or has a file for a folder.
    fn take(&mut self, path: &Path) -> bool {
        let key = |path: &Path| path.to_string_lossy().to_lowercase();
        let folders: Vec<String> = path
            .ancestors()
            .skip(1)
            .filter(|folder| !folder.as_os_str().is_empty())
            .map(key)
            .collect();
        let file = key(path);
        let is_free = !self.files.contains(&file)
            && !self.folders.contains(&file)
            && folders.iter().all(|folder| !self.files.contains(folder));
        if is_free {
            self.files.insert(file);
            self.folders.extend(folders);
        }
        is_free
    }
}

/// The parts of a name that stay below a folder, and whether one was cut. A name that was found below a folder has no
/// `..`; a given one may.
fn parts_of(name: &str) -> (Vec<String>, bool) {
    let normal = Path::new(name).components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
        _ => None,
    });
    let mut parts: Vec<String> = normal.collect();
    if parts.is_empty() {
        parts.push("document".to_owned());
    }
    let mut is_cut = name.len() > MAX_NAME;
    if is_cut {
        parts.drain(..parts.len() - 1);
    }
    for part in &mut parts {
        if part.len() > MAX_PART {
            part.truncate(part.floor_char_boundary(MAX_PART));
            is_cut = true;
        }
    }
    (parts, is_cut)
}

fn with_suffix(parts: &[String], suffix: &str) -> PathBuf {
    let mut path: PathBuf = parts.iter().collect();
    let last = parts.last().map(String::as_str).unwrap_or_default();
    path.set_file_name(format!("{last}{suffix}{ENDING}"));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef";

    fn claims(names: &[&str]) -> Vec<String> {
        let mut paths = FilePaths::default();
        let claim = |name: &&str| paths.claim(Path::new("out"), name, HASH).display().to_string();
        names.iter().map(claim).collect()
    }

    #[test]
    fn names_stay_below_the_folder_and_apart() {
        assert_eq!(
            claims(&["a/b.pdf", "a/b.pdf", "../../etc/x", "/", "a/B.PDF"]),
            [
                "out/a/b.pdf.json",
                "out/a/b.pdf-01234567.json",
                "out/etc/x.json",
                "out/document.json",
                "out/a/B.PDF-0123456789abcdef0123456789abcdef.json",
            ]
        );
    }

    #[test]
    fn no_name_takes_the_path_of_another_whatever_they_are() {
        let names = [
            "a",
            "a",
            "a-01234567",
            "a-01234567",
            "a",
            "a",
            "x",
            "x.json/y",
            "z.json/y",
            "z",
            "../a",
            "./a",
            "b\u{fffd}",
            "b\u{fffd}",
        ];
        let claimed = claims(&names);
        let apart: BTreeSet<&String> = claimed.iter().collect();
        assert_eq!(apart.len(), names.len(), "{claimed:?}");
        for path in &claimed {
            let inside = format!("{path}/");
            assert!(!claimed.iter().any(|other| other.starts_with(&inside)), "{claimed:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_letters_and_stays_apart() {
        for length in [196, 243, 255, 5_000] {
            let long = "\u{e9}".repeat(length);
            let deep = format!("{}paper.pdf", "folder/".repeat(length));
            for path in claims(&[&long, &long, &deep, &deep]) {
                let parts = Path::new(&path).components();
                assert!(parts.clone().all(|part| part.as_os_str().len() <= 250), "{path}");
                assert!(path.len() < 2_000, "{path}");
            }
            let claimed = claims(&[&long, &long]);
            assert_ne!(claimed[0], claimed[1]);
        }
    }
}

//! Checks that published crates have a README, keywords, categories and documentation.

use super::{Findings, TextFile};

/// Lines, or beginnings of lines, that each published crate's manifest needs.
const NEEDED: [&str; 7] = [
    "description = ",
    "documentation = ",
    "readme = \"README.md\"",
    "keywords = [",
    "categories = [",
    "[package.metadata.docs.rs]",
    "all-features = true",
];

pub(super) fn check(files: &[TextFile], findings: &mut Findings) {
    let text_of = |path: &str| files.iter().find(|file| file.path == path).map(|file| &file.text);
    for manifest in files.iter().filter(|file| is_published(file)) {
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        for needed in NEEDED {
            if !manifest.text.lines().any(|line| line.starts_with(needed)) {
                findings.error(format!("{}: a published crate needs `{needed}`", manifest.path));
            }
        }
        let Some(readme) = text_of(&format!("{folder}README.md")) else {
            findings.error(format!("{folder}README.md: a published crate needs one"));
            continue;
        };
        let library = text_of(&format!("{folder}src/lib.rs"));
        let is_tested = library.is_some_and(|text| text.contains("include_str!(\"../README.md\")"));
        if readme.contains("```rust") && !is_tested {
            findings.error(format!("{folder}README.md: src/lib.rs does not test its example"));
        }
    }
}

fn is_published(file: &TextFile) -> bool {
    let is_crate = file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml");
    is_crate && !file.text.lines().any(|line| line == "publish = false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    fn errors(files: &[TextFile]) -> Vec<String> {
        let mut findings = Findings::default();
        check(files, &mut findings);
        findings.errors
    }

    #[test]
    fn a_published_crate_lacks_nothing() {
        let manifest = NEEDED.join("\n");
        let complete = [
            file("crates/a/Cargo.toml", &manifest),
            file("crates/a/README.md", "```rust\n```"),
            file("crates/a/src/lib.rs", "#[doc = include_str!(\"../README.md\")]"),
            file("crates/b/Cargo.toml", "publish = false"),
            file("xtask/Cargo.toml", ""),
        ];
        assert!(errors(&complete).is_empty());
        assert_eq!(errors(&complete[..1]), ["crates/a/README.md: a published crate needs one"]);
        let untested = errors(&complete[..2]);
        assert_eq!(untested, ["crates/a/README.md: src/lib.rs does not test its example"]);
        let bare = errors(&[file("crates/a/Cargo.toml", "")]);
        assert_eq!(bare.len(), NEEDED.len() + 1);
    }
}

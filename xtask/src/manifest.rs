//! Reads the manifests of the published crates line by line: this program has no TOML parser.

use crate::command::Failure;
use crate::root;

/// The manifest of a published crate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    /// The declared minimum version of Rust.
    pub(crate) rust_version: String,
    pub(crate) features: Vec<String>,
    /// Whether other crates can depend on it.
    pub(crate) is_library: bool,
}

/// The published crates, in the order of their folder names.
pub(crate) fn published() -> Result<Vec<Manifest>, Failure> {
    let folder = root().join("crates");
    let fail = |error| Failure(format!("{} cannot be read: {error}", folder.display()));
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path);
        text.map_err(|error| Failure(format!("{} cannot be read: {error}", path.display())))
    };
    let workspace = read(root().join("Cargo.toml"))?;
    let mut folders: Vec<_> = std::fs::read_dir(&folder)
        .map_err(fail)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.sort();
    let mut all = Vec::new();
    for folder in folders.iter().filter(|folder| folder.join("Cargo.toml").is_file()) {
        let is_library = folder.join("src/lib.rs").is_file();
        all.extend(parse(&read(folder.join("Cargo.toml"))?, &workspace, is_library));
    }
    Ok(all)
}

/// `None` for a crate that is not published.
fn parse(text: &str, workspace: &str, is_library: bool) -> Option<Manifest> {
    if text.lines().any(|line| line == "publish = false") {
        return None;
    }
    let shared = || value(workspace, "rust-version");
    Some(Manifest {
        name: value(text, "name")?,
        rust_version: value(text, "rust-version").or_else(shared)?,
        features: features(text).map(str::to_owned).collect(),
        is_library,
    })
}

/// The value of the first line `key = "…"`.
fn value(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
        Some(rest.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned())
    })
}

/// The names in the table of features.
fn features(text: &str) -> impl Iterator<Item = &str> {
    let table = text.lines().skip_while(|line| *line != "[features]").skip(1);
    let lines = table.take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once(" = ")?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: &str = "[workspace.package]\nrust-version = \"1.89\"\n";
    const TEXT: &str = "[package]\nname = \"a\"\nrust-version.workspace = true\n\n[features]\n\
        # For servers.\nredis = [\"dep:redis\"]\ndefault = []\n\n[dependencies]\nbytes = \"1\"\n";

    #[test]
    fn name_features_and_the_workspaces_rust_are_read() {
        let manifest = parse(TEXT, WORKSPACE, true).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.rust_version.as_str()), ("a", "1.89"));
        assert_eq!(manifest.features, ["redis", "default"]);
        let own = TEXT.replace("rust-version.workspace = true", "rust-version = \"1.94\"");
        assert_eq!(parse(&own, WORKSPACE, true).unwrap().rust_version, "1.94");
    }

    #[test]
    fn a_crate_that_is_not_published_is_left_out() {
        let text = TEXT.replace("[features]", "publish = false\n[features]");
        assert_eq!(parse(&text, WORKSPACE, true), None);
    }
}

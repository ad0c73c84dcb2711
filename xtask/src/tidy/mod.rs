//! The house rules that no other tool checks.

mod circles;
mod contracts;
mod exports;
mod links;
mod manifests;
mod printing;
mod prose;
mod sources;
mod stores;

use std::path::{Path, PathBuf};

use crate::command::{Failure, announce};
use crate::root;

/// A text file of the project, with its path from the root, separated by `/` on every system.
#[derive(Debug)]
struct TextFile {
    path: String,
    text: String,
}

impl TextFile {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The findings of the rules.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn error(&mut self, message: impl Into<String>) {
        self.errors.push(message.into());
    }

    fn warn(&mut self, message: impl Into<String>) {
        self.warnings.push(message.into());
    }
}

/// Extensions of the text files that are checked.
const TEXT: [&str; 9] = ["rs", "toml", "md", "lua", "sql", "yml", "yaml", "css", "js"];

pub(crate) fn run() -> Result<(), Failure> {
    let files = text_files(&root())?;
    let mut findings = Findings::default();
    for file in &files {
        sources::check(file, &mut findings);
        prose::check(file, &mut findings);
        printing::check(file, &mut findings);
    }
    circles::check(&files, &mut findings);
    stores::check(&files, &mut findings);
    contracts::check(&files, &mut findings);
    exports::check(&files, &mut findings);
    manifests::check(&files, &mut findings);
    links::check(&files, |path| root().join(path).exists(), &mut findings);

    for warning in &findings.warnings {
        println!("warning: {warning}");
    }
    for error in &findings.errors {
        println!("error: {error}");
    }
    if findings.errors.is_empty() {
        println!("tidy: {} files, {} warnings", files.len(), findings.warnings.len());
        return Ok(());
    }
    Err(Failure(format!("{} house rules are broken", findings.errors.len())))
}

/// The project's text files: those tracked by git and those it would add.
fn text_files(root: &Path) -> Result<Vec<TextFile>, Failure> {
    let mut command = std::process::Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    announce(&command);
    let fail = |error| Failure(format!("git cannot list the files: {error}"));
    let output = command.current_dir(root).output().map_err(fail)?;
    if !output.status.success() {
        return Err(Failure::new(String::from_utf8_lossy(&output.stderr)));
    }
    let listed = String::from_utf8_lossy(&output.stdout);
    let mut paths: Vec<&str> = listed.split_terminator('\0').filter(|path| is_text(path)).collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &str| match std::fs::read_to_string(root.join(path)) {
        Ok(text) => Some(Ok(TextFile { path: path.to_owned(), text })),
        // The file was deleted, but is still in git's index.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(Failure(format!("{path} cannot be read: {error}")))),
    };
    paths.into_iter().filter_map(read).collect()
}

fn is_text(path: &str) -> bool {
    // Samples are papers by other authors.
    if path.starts_with("samples/") {
        return false;
    }
    let extension = PathBuf::from(path);
    extension.extension().is_some_and(|extension| TEXT.iter().any(|text| extension == *text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_lists_its_own_files() {
        let files = text_files(&root()).unwrap();
        assert!(files.iter().any(|file| file.path == "Cargo.toml"));
        assert!(files.iter().any(|file| file.path == "xtask/src/main.rs" && file.is_rust()));
        assert!(files.iter().all(|file| !file.path.starts_with("samples/")));
    }
}

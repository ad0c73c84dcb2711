//! The file of decisions beside the results.

use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

use compartment_files::replace;

use crate::resolve::Decisions;

/// The file's name in a folder of results.
pub const DECISIONS_FILE: &str = "decisions.txt";

/// Largest file of decisions that is read, in bytes.
const LARGEST: u64 = 8 << 20;

/// The file of decisions of a folder of results.
#[must_use]
pub fn decisions_path(folder: &Path) -> PathBuf {
    folder.join(DECISIONS_FILE)
}

/// Reads the decisions of a folder of results; none if it has no file of them.
///
/// # Errors
/// If the file cannot be read, or a line of it is no decision.
pub fn read_decisions(folder: &Path) -> Result<Decisions> {
    match decisions_in(&decisions_path(folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Decisions::default()),
        read => read,
    }
}

/// Reads a file of decisions.
///
/// # Errors
/// If the file is missing or cannot be read, or a line of it is no decision.
pub fn decisions_in(path: &Path) -> Result<Decisions> {
    let file = std::fs::File::open(path)?;
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    let wrong = |what: String| Error::new(ErrorKind::InvalidData, what);
    if text.len() as u64 > LARGEST {
        return Err(wrong(format!("{} is larger than {LARGEST} bytes", path.display())));
    }
    Decisions::parse(&text).map_err(|error| wrong(format!("{}: {error}", path.display())))
}

/// Writes the decisions of a folder of results, so that no reader sees half of them.
///
/// # Errors
/// If the file cannot be written.
pub fn write_decisions(folder: &Path, decisions: &Decisions) -> Result<()> {
    use std::io::Write;
    replace(&decisions_path(folder), |file| file.write_all(decisions.to_text().as_bytes()))
}

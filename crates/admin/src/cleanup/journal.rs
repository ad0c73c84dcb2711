//! The journal of a cleanup: a line for each key that was removed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::{AdminError, Place, Result};

/// A new file; the name, how the age was known or the kind of orphan, and the age in seconds, with tabs between them.
pub(super) struct Journal {
    file: BufWriter<File>,
    path: PathBuf,
}

impl Journal {
    /// # Errors
    /// [`AdminError::File`], if the file exists or cannot be written.
    pub(super) fn create(path: &Path, place: &Place) -> Result<Self> {
        let file = compartment_files::create_new(path).map_err(AdminError::file("create", path))?;
        let mut journal = Self { file: BufWriter::new(file), path: path.to_owned() };
        let server = place.server().url();
        let head = format!("# removed from {} index {} of {server}", place.label(), place.index());
        journal.line(&head)?;
        Ok(journal)
    }

    /// Notes keys that were removed, each by its escaped name with the reason and its age in seconds, and writes them
    /// through to the file.
    pub(super) fn removed<'a>(
        &mut self,
        keys: impl Iterator<Item = (String, &'a str, u64)>,
    ) -> Result<()> {
        for (name, why, age_seconds) in keys {
            self.line(&format!("{name}\t{why}\t{age_seconds}"))?;
        }
        self.file.flush().map_err(AdminError::file("write", &self.path))
    }

    fn line(&mut self, line: &str) -> Result<()> {
        writeln!(self.file, "{line}").map_err(AdminError::file("write", &self.path))
    }
}

//! Loads the function libraries of a file, which belong to a server and not to a database.

use compartment_core::{Error, ErrorKind};
use redis::Value;

use super::contents::{open, wrong};
use super::keys::Keys;
use super::{OnConflict, Work};
use crate::backup::{function_libraries, on_thread};
use crate::error::{AdminError, Result};
use crate::rdb::{Format, Item};

impl Work<'_> {
    /// Loads each library on every node; returns their number. In a dry run they are only counted.
    ///
    /// # Errors
    /// The server's: before 7.0 there are no functions; with [`OnConflict::Fail`] also for a library that is there.
    pub(super) async fn load_functions(&self, keys: &Keys) -> Result<u64> {
        let file = keys.file.clone();
        let libraries = on_thread(move || {
            let mut reader = open(&file)?;
            let mut libraries = Vec::new();
            while let Some(item) = reader.next_item().map_err(|error| wrong(&file, error))? {
                if let Item::Function(code) = item {
                    libraries.push(code);
                }
            }
            Ok(libraries)
        })
        .await?;
        let info = self.place.server().info();
        if !libraries.is_empty() && Format::of(info).is_some_and(|format| !format.has_functions()) {
            return Err(AdminError::Invalid(format!(
                "{} is {} {}, which has no functions: leave --functions out",
                self.place, info.server, info.version
            )));
        }
        if self.options.dry_run {
            return Ok(libraries.len() as u64);
        }
        let mut loaded = 0;
        for mut node in self.place.open_nodes("functions").await? {
            // A library that is there as it is in the file is no conflict, as a key is none. A node may lack one that
            // the others have, after an interruption.
            let there = function_libraries(&mut node).await?;
            let missing = libraries.iter().filter(|code| !there.contains(code));
            let mut here = 0;
            for code in missing {
                let mut load = redis::cmd("FUNCTION");
                load.arg("LOAD");
                if self.options.on_conflict == OnConflict::Replace {
                    load.arg("REPLACE");
                }
                load.arg(code);
                match node.ask::<Value>("load a function library", &load).await {
                    Ok(_) => here += 1,
                    Err(error)
                        if exists(&error) && self.options.on_conflict == OnConflict::Skip => {}
                    Err(error) if exists(&error) => {
                        return Err(AdminError::Conflict(format!(
                            "{} has another function library of the same name ({}); --on-conflict skip keeps it, \
                             --on-conflict replace overwrites it",
                            node.location(),
                            error.message()
                        )));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            loaded = loaded.max(here);
        }
        Ok(loaded)
    }
}

/// Whether a library of that name is there.
fn exists(error: &Error) -> bool {
    error.kind() == ErrorKind::Protocol && error.message().contains("already exists")
}

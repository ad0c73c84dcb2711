//! Loads the function libraries of a file, which belong to a server and not to a database.

use compartment_core::{Error, ErrorKind};
use redis::Value;

use super::contents::{open, wrong};
use super::keys::Keys;
use super::{OnConflict, Work};
use crate::backup::{function_libraries, on_thread};
use crate::error::Result;
use crate::rdb::Item;

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
        if self.options.dry_run {
            return Ok(libraries.len() as u64);
        }
        // A library that is there as it is in the file is no conflict, as a key is none.
        let there = function_libraries(self.place).await?;
        let libraries: Vec<Vec<u8>> =
            libraries.into_iter().filter(|code| !there.contains(code)).collect();
        let mut loaded = 0;
        for mut node in self.place.open_nodes("restore").await? {
            loaded = 0;
            for code in &libraries {
                let mut load = redis::cmd("FUNCTION");
                load.arg("LOAD");
                if self.options.on_conflict == OnConflict::Replace {
                    load.arg("REPLACE");
                }
                load.arg(code);
                match node.ask::<Value>("load a function library", &load).await {
                    Ok(_) => loaded += 1,
                    Err(error)
                        if exists(&error) && self.options.on_conflict == OnConflict::Skip => {}
                    Err(error) if exists(&error) => {
                        let what = format!(
                            "{}; --on-conflict skip keeps it, --on-conflict replace overwrites it",
                            error.message()
                        );
                        return Err(
                            Error::new(error.kind(), "load a function library", what).into()
                        );
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(loaded)
    }
}

/// Whether a library of that name is there.
fn exists(error: &Error) -> bool {
    error.kind() == ErrorKind::Protocol && error.message().contains("already exists")
}

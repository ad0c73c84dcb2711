//! What is in a file, told by reading all of it.

use std::collections::BTreeMap;
use std::path::Path;

use compartment_core::glob_matches;

use crate::error::{AdminError, Result};
use crate::escape;
use crate::rdb::{FileReader, Item, Key, Payload, RdbError, type_name};

/// What is in a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Contents {
    /// Its version of the format.
    pub rdb_version: u16,
    /// The version of the server that wrote it, if it says.
    pub server_version: Option<String>,
    /// The numbered databases that have keys.
    pub databases: BTreeMap<u64, DatabaseContents>,
    /// Function libraries.
    pub functions: u64,
}

/// What is in one numbered database of a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DatabaseContents {
    /// Its keys.
    pub keys: u64,
    /// Those that fit the pattern.
    pub chosen: u64,
    /// The bytes of their names and values in the file.
    pub bytes: u64,
    /// How many of these are of each type.
    pub types: BTreeMap<&'static str, u64>,
    /// The first of these with a value of a module, and the module's type.
    pub module: Option<(Vec<u8>, String)>,
}

/// A file's reader, unpacked as its content asks for.
pub(super) fn open(path: &Path) -> Result<FileReader> {
    FileReader::open(path).map_err(|error| wrong(path, error))
}

pub(super) fn wrong(path: &Path, error: RdbError) -> AdminError {
    match error {
        // A damaged compressed file says so by an error of reading.
        RdbError::Io(source) => AdminError::file("read", path)(source),
        error => AdminError::BadFile {
            path: path.to_owned(),
            problem: format!("{error}; nothing was restored"),
        },
    }
}

/// Looks into each value of a file that has no checksum to vouch for them.
fn check_values(path: &Path, pattern: Option<&[u8]>) -> Result<()> {
    let mut reader = open(path)?;
    let version = reader.version();
    while let Some(item) = reader.next_item().map_err(|error| wrong(path, error))? {
        let Item::Key(key) = item else { continue };
        if key.module.is_some() || pattern.is_some_and(|p| !glob_matches(p, &key.name)) {
            continue;
        }
        let dump = key.dump(version);
        if let Err(error) = Payload::parse(&dump).and_then(|payload| payload.value()) {
            return Err(AdminError::BadFile {
                path: path.to_owned(),
                problem: format!("key \"{}\": {error}; nothing was restored", escape(&key.name)),
            });
        }
    }
    Ok(())
}

impl Contents {
    /// Reads all of the file; counts the names that fit `pattern`.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is none.
    pub fn read(path: &Path, pattern: Option<&[u8]>) -> Result<Self> {
        let mut reader = open(path)?;
        let mut contents = Self { rdb_version: reader.version(), ..Self::default() };
        while let Some(item) = reader.next_item().map_err(|error| wrong(path, error))? {
            match item {
                Item::Key(key) => contents.count(key, pattern),
                Item::Function(_) => contents.functions += 1,
                Item::Aux { name, value } if name == b"redis-ver" => {
                    contents.server_version = String::from_utf8(value).ok();
                }
                _ => {}
            }
        }
        if !reader.is_checked() {
            check_values(path, pattern)?;
        }
        Ok(contents)
    }

    fn count(&mut self, key: Key, pattern: Option<&[u8]>) {
        let database = self.databases.entry(key.database).or_default();
        database.keys += 1;
        if pattern.is_some_and(|pattern| !glob_matches(pattern, &key.name)) {
            return;
        }
        database.chosen += 1;
        database.bytes += (key.name.len() + key.payload.len()) as u64;
        *database.types.entry(type_name(key.value_type)).or_default() += 1;
        if let (Some(module), None) = (key.module, &database.module) {
            database.module = Some((key.name, module));
        }
    }

    /// The numbered database that is meant.
    pub(super) fn choose(&self, path: &Path, wanted: Option<u64>) -> Result<u64> {
        let there: Vec<String> = self
            .databases
            .iter()
            .map(|(index, database)| format!("{index} ({} keys)", database.keys))
            .collect();
        let problem = match (wanted, self.databases.len()) {
            (Some(index), _) if self.databases.contains_key(&index) => return Ok(index),
            (None, 1) => return Ok(self.databases.keys().next().copied().unwrap_or(0)),
            (None, 0) => return Ok(0),
            (Some(index), 0) => format!("it has no database {index}: there is no key in it"),
            (Some(index), _) => {
                format!("it has no database {index}; it has {}", there.join(", "))
            }
            (None, _) => {
                format!(
                    "it has several databases: {}; say which with --from-index",
                    there.join(", ")
                )
            }
        };
        Err(AdminError::BadFile { path: path.to_owned(), problem })
    }
}

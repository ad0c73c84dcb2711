//! Reads a whole file to find its contents.

use std::collections::BTreeMap;
use std::path::Path;

use compartment_core::backend::glob_matches;

use crate::error::{AdminError, Result};
use crate::escape;
use crate::rdb::{FileReader, Item, Key, RdbError, name_hash, type_name};
use crate::weight::weight;

/// The contents of a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Contents {
    /// Its RDB version.
    pub rdb_version: u16,
    /// The version of the server that wrote it, if recorded.
    pub server_version: Option<String>,
    /// The numbered databases that have keys.
    pub databases: BTreeMap<u64, DatabaseContents>,
    /// Number of function libraries, including those written by release candidates of Redis 7.0.
    pub functions: u64,
    /// Number of collection members with an expiry in KeyDB's format.
    pub expiring_members: u64,
    /// Whether it is the base dump of a multi-part append-only file.
    pub is_base: bool,
}

/// The contents of one numbered database of a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DatabaseContents {
    /// Number of its keys.
    pub keys: u64,
    /// Number of keys that match the pattern.
    pub chosen: u64,
    /// Estimated memory of the matching keys in bytes.
    pub bytes: u64,
    /// Number of matching keys by type.
    pub types: BTreeMap<&'static str, u64>,
    /// The first matching key with a module's value, and its type.
    pub module: Option<(Vec<u8>, String)>,
    /// Number of matching keys that are hashes with expiring fields, and some of their names.
    pub(super) field_lives: u64,
    pub(super) with_field_lives: Vec<String>,
    /// Number of matching keys that are skipped because they are empty collections, as in a server.
    pub empty: u64,
    /// The first problem with the matching keys.
    problem: Option<String>,
    /// The hashes of their names.
    names: Vec<u64>,
}

/// Names in an error.
const SHOWN: usize = 3;

/// Opens a file, decompressing it if necessary.
pub(super) fn open(path: &Path) -> Result<FileReader> {
    FileReader::open(path).map_err(|error| wrong(path, error))
}

pub(super) fn wrong(path: &Path, error: RdbError) -> AdminError {
    match error {
        // A damaged compressed file also causes an I/O error.
        RdbError::Io(source) => AdminError::file("read", path)(source),
        error => AdminError::BadFile {
            path: path.to_owned(),
            problem: format!("{error}; nothing was restored"),
        },
    }
}

impl Contents {
    /// Reads the whole file and checks each value; counts the names that match `pattern`. Values of
    /// keys that expired before `now_ms` are not checked, as in a server.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is not an RDB file.
    pub fn read(path: &Path, pattern: Option<&[u8]>, now_ms: u64) -> Result<Self> {
        let mut reader = open(path)?;
        let mut contents = Self { rdb_version: reader.version(), ..Self::default() };
        while let Some(item) = reader.next_item().map_err(|error| wrong(path, error))? {
            match item {
                Item::Key(key) => contents.count(key, pattern, now_ms),
                Item::EmptyKey { database, name } => {
                    let database = contents.databases.entry(database).or_default();
                    let fits = pattern.is_none_or(|pattern| glob_matches(pattern, &name));
                    database.empty += u64::from(fits);
                }
                Item::Function(_) | Item::OldFunction(_) => contents.functions += 1,
                Item::Aux { name, value } => contents.note(&name, value),
                _ => {}
            }
        }
        contents.find_twice(path, now_ms)?;
        Ok(contents)
    }

    fn note(&mut self, name: &[u8], value: Vec<u8>) {
        match name {
            b"redis-ver" | b"valkey-ver" => self.server_version = String::from_utf8(value).ok(),
            b"keydb-subexpire-key" => self.expiring_members += 1,
            b"aof-base" => self.is_base = value == b"1",
            _ => {}
        }
    }

    fn count(&mut self, key: Key, pattern: Option<&[u8]>, now_ms: u64) {
        let version = self.rdb_version;
        let database = self.databases.entry(key.database).or_default();
        database.keys += 1;
        if pattern.is_some_and(|pattern| !glob_matches(pattern, &key.name)) {
            return;
        }
        database.chosen += 1;
        database.bytes += key.name.len() as u64 + weight(key.value_type, &key.payload);
        *database.types.entry(type_name(key.value_type)).or_default() += 1;
        if key.as_payload(version).expires_by_field() {
            database.field_lives += 1;
            if database.with_field_lives.len() < SHOWN {
                database.with_field_lives.push(escape(&key.name));
            }
        }
        if key.expires_at_ms.is_none_or(|at| at > now_ms) {
            database.names.push(name_hash(&key.name));
            if database.problem.is_none() {
                let wrong = key.check(version).err();
                database.problem =
                    wrong.map(|error| format!("key \"{}\": {error}", escape(&key.name)));
            }
        }
        if let (Some(module), None) = (key.module, &database.module) {
            database.module = Some((key.name, module));
        }
    }

    /// Looks for duplicate names in a database. The file is read again only if two names have one
    /// hash.
    fn find_twice(&mut self, path: &Path, now_ms: u64) -> Result<()> {
        let mut suspects: BTreeMap<u64, BTreeMap<u64, Vec<Vec<u8>>>> = BTreeMap::new();
        for (index, database) in &mut self.databases {
            let mut names = std::mem::take(&mut database.names);
            names.sort_unstable();
            let pairs = names.windows(2).filter(|two| two[0] == two[1]);
            let twice: BTreeMap<u64, Vec<_>> = pairs.map(|two| (two[0], Vec::new())).collect();
            if !twice.is_empty() {
                suspects.insert(*index, twice);
            }
        }
        if suspects.is_empty() {
            return Ok(());
        }
        let mut reader = open(path)?;
        while let Some(item) = reader.next_item().map_err(|error| wrong(path, error))? {
            let Item::Key(key) = item else { continue };
            let Some(suspects) = suspects.get_mut(&key.database) else { continue };
            let Some(names) = suspects.get_mut(&name_hash(&key.name)) else { continue };
            if key.expires_at_ms.is_some_and(|at| at <= now_ms) {
                continue;
            }
            if !names.contains(&key.name) {
                names.push(key.name);
                continue;
            }
            let Some(database) = self.databases.get_mut(&key.database) else { continue };
            let name = escape(&key.name);
            database.problem.get_or_insert_with(|| format!("it has the key \"{name}\" twice"));
        }
        Ok(())
    }

    /// Remarks on a file besides its keys.
    pub(super) fn notes(&self, chosen: &DatabaseContents, with_functions: bool) -> Vec<String> {
        let mut notes = Vec::new();
        if self.functions > 0 && !with_functions {
            notes.push(format!(
                "{} function libraries of the file belong to a server, not to a database, and are \
                 left out without --functions",
                self.functions
            ));
        }
        if chosen.empty > 0 {
            notes.push(format!(
                "{} keys of the file are empty collections, and are left out as a server leaves \
                 them out",
                chosen.empty
            ));
        }
        if self.expiring_members > 0 {
            notes.push(format!(
                "{} members of collections have an expiry of their own (KeyDB), which is not \
                 restored",
                self.expiring_members
            ));
        }
        if self.is_base {
            notes.push(
                "the file is the base of an append-only file: later writes are in the .incr.aof \
                 files beside it and are not restored"
                    .to_owned(),
            );
        }
        notes
    }

    /// The index of the chosen database, if its keys have no problem.
    pub(super) fn choose(&self, path: &Path, wanted: Option<u64>) -> Result<u64> {
        let index = self.index(path, wanted)?;
        match self.databases.get(&index).and_then(|database| database.problem.as_ref()) {
            None => Ok(index),
            Some(problem) => Err(AdminError::BadFile {
                path: path.to_owned(),
                problem: format!("{problem}; nothing was restored"),
            }),
        }
    }

    fn index(&self, path: &Path, wanted: Option<u64>) -> Result<u64> {
        let there = self.databases.iter().map(|(index, one)| (*index, one.keys)).collect();
        let problem = match (wanted, self.databases.len()) {
            (Some(index), _) if self.databases.contains_key(&index) => return Ok(index),
            (None, 1) => return Ok(self.databases.keys().next().copied().unwrap_or(0)),
            (None, 0) => return Ok(0),
            (Some(index), _) => return Err(no_database(path, index, &there)),
            (None, _) => {
                let there = shown(&there);
                format!("it has several databases: {there}; say which with --from-index")
            }
        };
        Err(AdminError::BadFile { path: path.to_owned(), problem })
    }
}

/// Lists the databases of a file with their numbers of keys.
fn shown(there: &BTreeMap<u64, u64>) -> String {
    let one = |(index, keys): (&u64, &u64)| {
        format!("{index} ({keys} {})", if *keys == 1 { "key" } else { "keys" })
    };
    there.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The error for a file without the requested database; `there` are its databases.
pub(crate) fn no_database(path: &Path, index: u64, there: &BTreeMap<u64, u64>) -> AdminError {
    let has = match there.is_empty() {
        true => "there is no key in it".to_owned(),
        false => format!("it has {}", shown(there)),
    };
    AdminError::BadFile {
        path: path.to_owned(),
        problem: format!("it has no database {index}: {has}"),
    }
}

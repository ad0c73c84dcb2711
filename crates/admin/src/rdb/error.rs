//! Errors of files and payloads in Redis's format.

use std::io;

/// The result of reading or writing the format.
pub type RdbResult<T> = std::result::Result<T, RdbError>;

/// What is wrong with a file or payload, in words that go behind its name.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RdbError {
    /// It cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It ends in the middle.
    #[error("it ends early, after {0} bytes: it was cut off, or is still being written")]
    Truncated(u64),
    /// It does not begin as such a file does.
    #[error("it is not an RDB file: it does not begin with REDIS and a version")]
    NotRdb,
    /// A version that is not known here.
    #[error("it has RDB version {0}; this program reads versions up to 13 (Redis) and 81 (Valkey)")]
    Version(u16),
    /// Its bytes are not those that were written.
    #[error("its checksum is wrong ({found:016x}, the bytes give {expected:016x}): it is damaged")]
    Checksum {
        /// The checksum at its end.
        found: u64,
        /// That of its bytes.
        expected: u64,
    },
    /// A value of a module's own type, whose end only the module can find.
    #[error(
        "it holds a value of the module type {0}, which only a server with that module can read"
    )]
    Module(String),
    /// A type of value or record that is not known here.
    #[error("it holds a record of the unknown type {0}")]
    UnknownType(u8),
    /// Another format, and what to do about it.
    #[error("it is not an RDB file: {0}")]
    OtherFormat(&'static str),
    /// It cannot be read more than once, as a file can.
    #[error(
        "it is {0}, which can be read only once: save it to a file and give the name of that file"
    )]
    NoFile(&'static str),
    /// A dump with commands behind it.
    #[error(
        "it is an append-only file: {0} bytes of commands follow its dump and change it; load it into \
         a server, and back up that server"
    )]
    AppendOnly(u64),
    /// A dump with something else behind it.
    #[error("{0} bytes follow the end of the dump: it is damaged or was not written by Redis")]
    Followed(u64),
    /// An error in the value of a key, with that key.
    #[error("key \"{key}\" of database {database}: {error}")]
    AtKey {
        /// The number of the database.
        database: u64,
        /// The escaped name.
        key: String,
        /// What is wrong.
        error: Box<RdbError>,
    },
    /// Something that the format does not allow.
    #[error("it is damaged: {0}")]
    Corrupt(&'static str),
}

// Its own words, causes included: a `main` that returns a `Result` shows them.
impl std::fmt::Debug for RdbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl RdbError {
    /// The error with the key whose value it is about, unless it is about the whole file.
    pub(super) fn at_key(self, database: u64, name: &[u8]) -> Self {
        match self {
            Self::Io(_) | Self::Truncated(_) => self,
            error => Self::AtKey { database, key: crate::escape(name), error: Box::new(error) },
        }
    }

    /// Whether it is about reading or writing, not about what was read.
    #[must_use]
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}

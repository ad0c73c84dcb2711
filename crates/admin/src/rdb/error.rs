//! Errors of files and payloads in Redis's format.

use std::io;

use super::types::written_by;

/// The result of reading or writing the format.
pub type RdbResult<T> = std::result::Result<T, RdbError>;

/// A problem of a file or payload; the message reads well after its name.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RdbError {
    /// An I/O error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It ends too early.
    #[error("it ends early, after {0} bytes: it was cut off, or is still being written")]
    Truncated(u64),
    /// It does not begin like an RDB file.
    #[error("it is not an RDB file: it does not begin with REDIS and a version")]
    NotRdb,
    /// An unknown version.
    #[error("it has RDB version {0}; this program reads versions up to 15 (Redis) and 81 (Valkey)")]
    Version(u16),
    /// Its bytes do not match its checksum.
    #[error("its checksum is wrong ({found:016x}, the bytes give {expected:016x}): it is damaged")]
    Checksum {
        /// The checksum at its end.
        found: u64,
        /// The checksum of its bytes.
        expected: u64,
    },
    /// A value of a module's type whose end only the module can find.
    #[error(
        "it holds a value of the module type {0}, which only a server with that module can read"
    )]
    Module(String),
    /// An unknown type of value or record.
    #[error(
        "it holds a record of type {number}, which {writer} wrote and this program does not know: load it into such \
         a server, and back up from there with --for"
    )]
    UnknownType {
        /// The number of the type.
        number: u8,
        /// The servers that write it.
        writer: &'static str,
    },
    /// A value that is carried as it is, and cannot be read here.
    #[error("it is a value of the type {0}, which is carried as it is and not read here")]
    Opaque(&'static str),
    /// Another format; has the format and what to do.
    #[error("it is not an RDB file: {0}")]
    OtherFormat(&'static str),
    /// It is not a file, so it cannot be read more than once.
    #[error(
        "it is {0}, which can be read only once: save it to a file and give the name of that file"
    )]
    NoFile(&'static str),
    /// A dump followed by commands.
    #[error(
        "it is an append-only file: {0} bytes of commands follow its dump and change it; load it into \
         a server, and back up that server"
    )]
    AppendOnly(u64),
    /// A dump followed by other bytes.
    #[error("{0} bytes follow the end of the dump: it is damaged or was not written by Redis")]
    Followed(u64),
    /// An error in the value of a key.
    #[error("key \"{key}\" of database {database}: {error}")]
    AtKey {
        /// The index of the database.
        database: u64,
        /// The escaped name.
        key: String,
        /// The problem.
        error: Box<RdbError>,
    },
    /// A violation of the format.
    #[error("it is damaged: {0}")]
    Corrupt(&'static str),
}

// `Display` with all causes, since a `main` that returns a `Result` prints `Debug`.
impl std::fmt::Debug for RdbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl RdbError {
    pub(super) fn unknown(number: u8, version: u16) -> Self {
        Self::UnknownType { number, writer: written_by(number, version) }
    }

    /// Adds the key to an error about its value; errors about the whole file stay unchanged.
    pub(super) fn at_key(self, database: u64, name: &[u8]) -> Self {
        match self {
            Self::Io(_) | Self::Truncated(_) => self,
            error => Self::AtKey { database, key: crate::escape(name), error: Box::new(error) },
        }
    }
}

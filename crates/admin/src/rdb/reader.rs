//! Reads a file record by record, using memory for its largest value.

use std::io::Read;

use super::empty::is_empty;
use super::encode::with_footer;
use super::error::{RdbError, RdbResult};
use super::payload::Payload;
use super::skip::{skip_key_meta, skip_module, skip_value};
use super::source::Source;
use super::types::*;
use super::written::check_written;

/// One record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// Metadata of the file, such as the server's version.
    Aux {
        /// For example `redis-ver`.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// The following keys belong to this numbered database.
    SelectDb(u64),
    /// Table sizes of the database.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Number of keys that expire.
        expiring: u64,
    },
    /// A key and its value.
    Key(Key),
    /// A key with an empty collection, which a server skips.
    EmptyKey {
        /// The numbered database.
        database: u64,
        /// The name.
        name: Vec<u8>,
    },
    /// The source of a function library.
    Function(Vec<u8>),
    /// The name of a function library in the format of Redis 7.0's release candidates, which no
    /// release reads.
    OldFunction(Vec<u8>),
    /// Data of a module besides keys; has the module's type.
    ModuleAux(String),
    /// Metadata of the next key by modules, which is skipped.
    KeyMeta,
    /// The end; the checksum, if any, was right.
    End,
}

/// A key with its encoded value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The numbered database.
    pub database: u64,
    /// The name.
    pub name: Vec<u8>,
    /// The type byte, which includes the encoding.
    pub value_type: u8,
    /// The encoded value without the type byte before it, and without version and checksum after
    /// it.
    pub payload: Vec<u8>,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
    /// Seconds since it was last used, if recorded.
    pub idle_seconds: Option<u64>,
    /// Count of uses on Redis's logarithmic scale, if recorded.
    pub frequency: Option<u8>,
    /// The module's type, for a value of a module.
    pub module: Option<String>,
}

impl Key {
    /// Checks for problems that a server would refuse. A right checksum does not exclude them,
    /// because other programs write files too.
    pub(crate) fn check(&self, version: u16) -> RdbResult<()> {
        if is_opaque(self.value_type) || self.value_type == STRING {
            // Of a value that nothing here reads only the end can be checked, and every string is valid.
            return Ok(());
        }
        check_written(self.value_type, version, &self.payload)
    }

    /// The value, as a file of RDB `version` has it.
    pub(crate) fn as_payload(&self, version: u16) -> Payload<'_> {
        Payload::of(self.value_type, &self.payload, version)
    }

    /// The value as the answer of `DUMP` in RDB `version`.
    #[must_use]
    pub fn dump(&self, version: u16) -> Vec<u8> {
        with_footer(self.value_type, &self.payload, version)
    }
}

/// Reads a file from any [`Read`], with its own buffer.
#[derive(Debug)]
pub struct RdbReader<R> {
    source: Source<R>,
    version: u16,
    database: u64,
    ended: bool,
    checked: bool,
    /// Whether bytes after the dump are an error.
    is_whole: bool,
    next: About,
}

/// Length of the mark after a dump from diskless replication.
const END_MARK: usize = 40;

/// Attributes of the next key, from the records before it.
#[derive(Debug, Default)]
struct About {
    expires_at_ms: Option<u64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl<R: Read> RdbReader<R> {
    /// Reads the first nine bytes.
    ///
    /// # Errors
    /// When the file is not an RDB file or has an unknown version.
    pub fn new(inner: R) -> RdbResult<Self> {
        let mut source = Source::new(inner);
        let head: [u8; 9] = source.array().map_err(|error| match error {
            RdbError::Truncated(_) => RdbError::NotRdb,
            other => other,
        })?;
        let digits = head.strip_prefix(b"REDIS").or_else(|| head.strip_prefix(b"VALKEY"));
        let version = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| digits.parse::<u16>().ok())
            .ok_or(RdbError::NotRdb)?;
        if !is_known(version) {
            return Err(RdbError::Version(version));
        }
        Ok(Self {
            source,
            version,
            database: 0,
            ended: false,
            checked: false,
            is_whole: false,
            next: About::default(),
        })
    }

    /// Makes bytes after the dump an error, for input that is a file and not part of a stream.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.is_whole = true;
        self
    }

    /// The file's RDB version: 10 for Redis 7.0, 80 for Valkey 9.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// Whether the file has a checksum and it was right; known after the end.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.checked
    }

    /// The next record; `None` after the end.
    ///
    /// # Errors
    /// Any problem with the file. Nothing can be read after an error.
    pub fn next_item(&mut self) -> RdbResult<Option<Item>> {
        if self.ended {
            return Ok(None);
        }
        loop {
            let kind = self.source.byte()?;
            match kind {
                EXPIRE_MS => {
                    let at = i64::from_le_bytes(self.source.array()?);
                    self.next.expires_at_ms = Some(u64::try_from(at).unwrap_or(0));
                }
                EXPIRE_SECONDS => {
                    let at = i32::from_le_bytes(self.source.array()?);
                    self.next.expires_at_ms = Some(u64::try_from(at).unwrap_or(0) * 1_000);
                }
                IDLE => self.next.idle_seconds = Some(self.source.count()?),
                FREQUENCY => self.next.frequency = Some(self.source.byte()?),
                KEY_META if is_of_8_6(self.version) => {
                    skip_key_meta(&mut self.source)?;
                    return Ok(Some(Item::KeyMeta));
                }
                kind if kind < HASH_TEMPLATE => return self.key(kind).map(Some),
                other => return self.record(other).map(Some),
            }
        }
    }

    fn key(&mut self, value_type: u8) -> RdbResult<Item> {
        let (database, about) = (self.database, std::mem::take(&mut self.next));
        let name = self.source.string()?;
        self.source.keep();
        let skipped = skip_value(&mut self.source, value_type, self.version);
        let module = skipped.map_err(|error| error.at_key(database, &name))?;
        let payload = self.source.kept();
        if is_empty(value_type, &payload) {
            return Ok(Item::EmptyKey { database, name });
        }
        Ok(Item::Key(Key {
            database,
            name,
            value_type,
            payload,
            expires_at_ms: about.expires_at_ms,
            idle_seconds: about.idle_seconds,
            frequency: about.frequency,
            module,
        }))
    }

    fn record(&mut self, kind: u8) -> RdbResult<Item> {
        Ok(match kind {
            AUX => Item::Aux { name: self.source.string()?, value: self.source.string()? },
            SELECT_DB => {
                self.database = self.source.count()?;
                Item::SelectDb(self.database)
            }
            RESIZE_DB => {
                Item::ResizeDb { keys: self.source.count()?, expiring: self.source.count()? }
            }
            SLOT_INFO => {
                // Slot, keys, expiring keys: like `ResizeDb`, but for one slot.
                self.source.count()?;
                Item::ResizeDb { keys: self.source.count()?, expiring: self.source.count()? }
            }
            FUNCTION => Item::Function(self.source.string()?),
            FUNCTION_OLD => {
                // Name, engine, a flag for the description, the description, the code.
                let name = self.source.string()?;
                self.source.skip_string()?;
                if self.source.count()? != 0 {
                    self.source.skip_string()?;
                }
                self.source.skip_string()?;
                Item::OldFunction(name)
            }
            MODULE_AUX => {
                let name = module_type(self.source.count()?);
                skip_module(&mut self.source)?;
                Item::ModuleAux(name)
            }
            END => {
                self.check_sum()?;
                self.ended = true;
                if self.is_whole {
                    self.check_end()?;
                }
                Item::End
            }
            other => return Err(RdbError::unknown(other, self.version)),
        })
    }

    fn check_end(&mut self) -> RdbResult<()> {
        let (bytes, first) = self.source.rest(END_MARK)?;
        match first.first() {
            None => Ok(()),
            // A command, or a timestamp between commands.
            Some(b'*' | b'#') => Err(RdbError::AppendOnly(bytes)),
            // The mark that ends diskless replication; files of old tools that pose as a replica
            // have it.
            _ if bytes == END_MARK as u64 && first.iter().all(u8::is_ascii_hexdigit) => Ok(()),
            _ => Err(RdbError::Followed(bytes)),
        }
    }

    /// Files have a checksum since version 5; 0 means none.
    fn check_sum(&mut self) -> RdbResult<()> {
        if self.version < 5 {
            return Ok(());
        }
        let expected = self.source.sum();
        let found = u64::from_le_bytes(self.source.array()?);
        if found != 0 && found != expected {
            return Err(RdbError::Checksum { found, expected });
        }
        self.checked = found != 0;
        Ok(())
    }
}

impl<R: Read> Iterator for RdbReader<R> {
    type Item = RdbResult<Item>;

    /// As [`RdbReader::next_item`]; `None` after an error.
    fn next(&mut self) -> Option<Self::Item> {
        let item = self.next_item();
        self.ended |= item.is_err();
        item.transpose()
    }
}

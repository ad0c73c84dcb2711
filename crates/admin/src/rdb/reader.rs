//! Reads a file record by record, in as much memory as its largest value.

use std::io::Read;

use super::crc64::Crc64;
use super::empty::is_empty;
use super::error::{RdbError, RdbResult};
use super::skip::{skip_module, skip_value};
use super::source::Source;
use super::types::*;
use super::written::check_written;

/// One record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// Something about the file: who wrote it, when.
    Aux {
        /// For example `redis-ver`.
        name: Vec<u8>,
        /// What it says.
        value: Vec<u8>,
    },
    /// The keys that follow are of this numbered database.
    SelectDb(u64),
    /// How large the database's tables are going to be.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Those of them that expire.
        expiring: u64,
    },
    /// A key and its value.
    Key(Key),
    /// A key whose collection is empty: a server leaves it out.
    EmptyKey {
        /// The numbered database.
        database: u64,
        /// The name.
        name: Vec<u8>,
    },
    /// A library of functions, its source.
    Function(Vec<u8>),
    /// A library of functions as release candidates of Redis 7.0 wrote it, which no release reads;
    /// its name.
    OldFunction(Vec<u8>),
    /// What a module keeps besides keys; the module's type.
    ModuleAux(String),
    /// The end; the checksum, where there is one, was right.
    End,
}

/// A key with its value as it is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// The numbered database.
    pub database: u64,
    /// The name.
    pub name: Vec<u8>,
    /// The type of the value and how it is written.
    pub value_type: u8,
    /// The value, without the type byte in front and the version and checksum behind it.
    pub payload: Vec<u8>,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
    /// Seconds since it was last used, where the file says so.
    pub idle_seconds: Option<u64>,
    /// How often it was used, on Redis's logarithmic scale, where the file says so.
    pub frequency: Option<u8>,
    /// For a value of a module's own type: which.
    pub module: Option<String>,
}

impl Key {
    /// What a server would refuse about its value, which a right checksum does not rule out: not
    /// every file is a server's.
    pub(crate) fn check(&self, version: u16) -> RdbResult<()> {
        if self.module.is_some() || self.value_type == STRING {
            // The end of a module's value was found, and a string is what it is.
            return Ok(());
        }
        check_written(self.value_type, version, &self.payload)
    }

    /// The value as `DUMP` would give it on a server that writes RDB `version`.
    #[must_use]
    pub fn dump(&self, version: u16) -> Vec<u8> {
        let mut dump = Vec::with_capacity(self.payload.len() + 11);
        dump.push(self.value_type);
        dump.extend_from_slice(&self.payload);
        dump.extend_from_slice(&version.to_le_bytes());
        let sum = Crc64::of(&dump);
        dump.extend_from_slice(&sum.to_le_bytes());
        dump
    }
}

/// Reads a file from anything that gives bytes; has its own buffer.
#[derive(Debug)]
pub struct RdbReader<R> {
    source: Source<R>,
    version: u16,
    database: u64,
    ended: bool,
    checked: bool,
    /// Whether nothing may follow the dump.
    is_whole: bool,
    next: About,
}

/// Bytes of the mark behind a dump that was sent without a disk.
const END_MARK: usize = 40;

/// What the file says of the next key, whatever records stand in between.
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
    /// When they are not those of such a file, or of a version that is not known.
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

    /// Takes what follows the dump for an error: what is read is a file, not a part of a stream.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.is_whole = true;
        self
    }

    /// The file's version of the format: 10 is of Redis 7.0, 80 of Valkey 9.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// Whether the file has a checksum, and it was right; known behind the end.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.checked
    }

    /// The next record; `None` behind the end.
    ///
    /// # Errors
    /// Whatever is wrong with the file. There is nothing to be had behind an error.
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
                0..=242 => return self.key(kind).map(Some),
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
                // Slot, keys, expiring keys: what a ResizeDb says, of one slot.
                self.source.count()?;
                Item::ResizeDb { keys: self.source.count()?, expiring: self.source.count()? }
            }
            FUNCTION => Item::Function(self.source.string()?),
            FUNCTION_OLD => {
                // Name, engine, whether there is a description, the description, the code.
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
            other => return Err(RdbError::UnknownType(other)),
        })
    }

    fn check_end(&mut self) -> RdbResult<()> {
        let (bytes, first) = self.source.rest(END_MARK)?;
        match first.first() {
            None => Ok(()),
            // A command, or a note of the time between commands.
            Some(b'*' | b'#') => Err(RdbError::AppendOnly(bytes)),
            // The mark by which a server without a disk ends what it sends to a replica: files of
            // old tools that pose as one have it.
            _ if bytes == END_MARK as u64 && first.iter().all(u8::is_ascii_hexdigit) => Ok(()),
            _ => Err(RdbError::Followed(bytes)),
        }
    }

    /// Files have a checksum since version 5; 0 stands for none.
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

    /// [`RdbReader::next_item`]; after an error nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        let item = self.next_item();
        self.ended |= item.is_err();
        item.transpose()
    }
}

//! The format that a line of servers reads and writes: Redis counts versions up, and Valkey has its own from 80.

use compartment_redis::ServerInfo;

use super::types::{
    ARRAY, FIRST_VALKEY, HASH_LISTPACK_TTL, HASH_TTL_OLD, LAST_OF_8_10, STREAM, STREAM_2, STREAM_3,
    STREAM_4,
};

/// The format of values in files and in payloads of `DUMP`, as one line of servers has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Format {
    version: u16,
}

/// Each format by the servers that write it, in order. Source: `RDB_VERSION` in the servers' `rdb.h`; those up to 12
/// and 80 are compared with the payloads of real servers in the suite `versions`.
const KNOWN: [(&str, u16); 10] = [
    ("6.2", 9),
    ("7.0", 10),
    ("7.2", 11),
    ("7.4", 12),
    ("8.2", 12),
    ("8.6", 13),
    ("8.8", 14),
    ("8.10", 15),
    ("valkey-9", 80),
    ("valkey-9.2", 81),
];

/// Names for formats that have one of [`KNOWN`] already.
const ALSO: [(&str, u16); 5] =
    [("8.0", 12), ("8.4", 12), ("valkey-7.2", 11), ("valkey-8", 11), ("valkey-9.1", 80)];

impl Format {
    /// The format by the server's line: `6.2`, `7.0`, `7.2`, `7.4`, `8.2`, `8.6`, `8.8`, `8.10`, `valkey-8`,
    /// `valkey-9`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = KNOWN.iter().chain(&ALSO);
        all.find(|(known, _)| *known == name).map(|(_, version)| Self { version: *version })
    }

    /// The names that [`Format::named`] takes, for messages.
    #[must_use]
    pub fn names() -> String {
        "6.2, 7.0, 7.2, 7.4, 8.2, 8.6, 8.8, 8.10, valkey-8, valkey-9".to_owned()
    }

    /// The format that a server writes; `None` if its version is not known.
    #[must_use]
    pub fn of(server: &ServerInfo) -> Option<Self> {
        let mut numbers = server.version.split('.').map(|number| number.parse::<u32>().ok());
        let version = (numbers.next()??, numbers.next().flatten().unwrap_or(0));
        let version = match (server.server.as_str(), version) {
            ("valkey", (..9, _)) => 11,
            ("valkey", (9, ..2)) => FIRST_VALKEY,
            ("valkey", _) => 81,
            (_, (..6, _)) => return None,
            (_, (6, _)) => 9,
            (_, (7, ..2)) => 10,
            (_, (7, ..4)) => 11,
            (_, (7, _) | (8, ..6)) => 12,
            (_, (8, ..8)) => 13,
            (_, (8, ..10)) => 14,
            (_, _) => 15,
        };
        Some(Self { version })
    }

    /// The number of the format: 9 to 15 for Redis, 80 for Valkey.
    #[must_use]
    pub fn version(self) -> u16 {
        self.version
    }

    /// Whether a server of this line takes a payload or file of `version`.
    #[must_use]
    pub fn reads(self, version: u16) -> bool {
        match self.version >= FIRST_VALKEY {
            // Valkey refuses what Redis wrote since the two parted.
            true => version <= 11 || (FIRST_VALKEY..=self.version).contains(&version),
            false => version <= self.version,
        }
    }

    /// Whether servers of this line read values of `value_type`, which were written in RDB `version`, as they are.
    /// Source: the constants `RDB_TYPE_…` and the versions that introduced them.
    pub(crate) fn has_type(self, value_type: u8, version: u16) -> bool {
        let newest = match self.version {
            ..=9 => STREAM,
            10 => STREAM_2,
            11 => STREAM_3,
            _ if (version >= FIRST_VALKEY) != (self.version >= FIRST_VALKEY) => STREAM_3,
            FIRST_VALKEY.. => HASH_TTL_OLD,
            12 => HASH_LISTPACK_TTL,
            13 => STREAM_4,
            14 => ARRAY,
            _ => LAST_OF_8_10,
        };
        value_type <= newest
    }

    /// Whether servers of this line have function libraries.
    #[must_use]
    pub fn has_functions(self) -> bool {
        self.version >= 10
    }

    /// Whether servers of this line have the type array.
    pub(crate) fn has_arrays(self) -> bool {
        self.has_type(ARRAY, self.version)
    }

    /// The servers that load files and payloads of `version`, for people.
    #[must_use]
    pub fn readers_of(version: u16) -> String {
        match version {
            ..=9 => "Redis 6.2 and later, every Valkey".to_owned(),
            10 => "Redis 7.0 and later, every Valkey".to_owned(),
            11 => "Redis 7.2 and later, every Valkey".to_owned(),
            FIRST_VALKEY.. => format!("{} and later", Self { version }),
            12 => "Redis 7.4 and later, no Valkey".to_owned(),
            _ => format!("{} and later, no Valkey", Self { version }),
        }
    }

    /// Whether fields of hashes can expire.
    #[must_use]
    pub fn has_field_lives(self) -> bool {
        self.version >= 12
    }
}

impl std::fmt::Display for Format {
    /// The servers of the line: `Redis 7.0`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.version {
            ..=9 => "Redis 6.2",
            10 => "Redis 7.0",
            11 => "Redis 7.2 and Valkey 8",
            12 => "Redis 7.4 to 8.4",
            13 => "Redis 8.6",
            14 => "Redis 8.8",
            15..FIRST_VALKEY => "Redis 8.10",
            FIRST_VALKEY => "Valkey 9",
            _ => "Valkey 9.2",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_older_formats_of_their_own_and_valkey_none_of_later_redis() {
        let reads = |name: &str, versions: &[u16]| {
            let format = Format::named(name).unwrap();
            versions.iter().map(|version| format.reads(*version)).collect::<Vec<_>>()
        };
        assert_eq!(reads("7.0", &[9, 10, 11, 12, 80]), [true, true, false, false, false]);
        assert_eq!(reads("8.2", &[11, 12, 13, 80]), [true, true, false, false]);
        assert_eq!(reads("valkey-8", &[11, 12, 80]), [true, false, false]);
        assert_eq!(
            reads("valkey-9", &[9, 11, 12, 79, 80, 81]),
            [true, true, false, false, true, false]
        );
        assert!(Format::named("5.0").is_none());
        for name in Format::names().split(", ") {
            assert!(Format::named(name).is_some(), "{name}");
        }
    }
}

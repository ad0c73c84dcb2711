//! Numbers of the format: types of values and records.

// Types of values with their encodings.
pub(super) const STRING: u8 = 0;
pub(super) const LIST: u8 = 1;
pub(super) const SET: u8 = 2;
pub(super) const ZSET: u8 = 3;
pub(super) const HASH: u8 = 4;
pub(super) const ZSET_BINARY: u8 = 5;
pub(super) const MODULE_OLD: u8 = 6;
pub(super) const MODULE: u8 = 7;
pub(super) const HASH_ZIPMAP: u8 = 9;
pub(super) const LIST_ZIPLIST: u8 = 10;
pub(super) const SET_INTSET: u8 = 11;
pub(super) const ZSET_ZIPLIST: u8 = 12;
pub(super) const HASH_ZIPLIST: u8 = 13;
pub(super) const LIST_QUICKLIST: u8 = 14;
pub(super) const STREAM: u8 = 15;
pub(super) const HASH_LISTPACK: u8 = 16;
pub(super) const ZSET_LISTPACK: u8 = 17;
pub(super) const LIST_QUICKLIST_2: u8 = 18;
pub(super) const STREAM_2: u8 = 19;
pub(super) const SET_LISTPACK: u8 = 20;
pub(super) const STREAM_3: u8 = 21;
/// Used in Redis 7.4's release candidates; Valkey 9 uses the number for its own format.
pub(super) const HASH_TTL_OLD: u8 = 22;
pub(super) const HASH_LISTPACK_TTL_OLD: u8 = 23;
pub(super) const HASH_TTL: u8 = 24;
pub(super) const HASH_LISTPACK_TTL: u8 = 25;
/// A stream with the producers that add entries once only: Redis 8.6.
pub(super) const STREAM_4: u8 = 26;
/// A stream whose pending entries may have no consumer: Redis 8.8.
pub(super) const STREAM_5: u8 = 27;
/// An array: Redis 8.8.
pub(super) const ARRAY: u8 = 28;
/// Hashes that share their field names, self-contained and by reference, and a rate limiter: Redis 8.10.
pub(super) const FIRST_OF_8_10: u8 = 29;
pub(super) const LAST_OF_8_10: u8 = 33;

// Records other than keys.
/// Field names that hashes share: Redis 8.10.
pub(super) const HASH_TEMPLATE: u8 = 242;
/// Metadata of the next key by modules: Redis 8.6. Valkey 9 uses the number for a slot that is being imported.
pub(super) const KEY_META: u8 = 243;
pub(super) const SLOT_INFO: u8 = 244;
pub(super) const FUNCTION: u8 = 245;
/// Functions in the format of 7.0's release candidates, which the release refuses.
pub(super) const FUNCTION_OLD: u8 = 246;
pub(super) const MODULE_AUX: u8 = 247;
pub(super) const IDLE: u8 = 248;
pub(super) const FREQUENCY: u8 = 249;
pub(super) const AUX: u8 = 250;
pub(super) const RESIZE_DB: u8 = 251;
pub(super) const EXPIRE_MS: u8 = 252;
pub(super) const EXPIRE_SECONDS: u8 = 253;
pub(super) const SELECT_DB: u8 = 254;
pub(super) const END: u8 = 255;

/// From this version on a file is Valkey's, and so are the type numbers from 22.
pub(super) const FIRST_VALKEY: u16 = 80;

/// Whether this reader knows the version.
pub(super) fn is_known(version: u16) -> bool {
    matches!(version, 1..=15 | 80..=81)
}

/// Whether this reader knows the type in files and payloads of this version.
pub(crate) fn is_readable(value_type: u8, version: u16) -> bool {
    let newest = if version >= FIRST_VALKEY { HASH_TTL_OLD } else { ARRAY };
    is_known(version) && value_type <= newest && !matches!(value_type, MODULE_OLD | 8)
}

/// Whether values of this type are carried as they are, because nothing here decodes them.
pub(crate) fn is_opaque(value_type: u8) -> bool {
    matches!(value_type, MODULE | ARRAY)
}

/// Whether the version is one of Redis 8.6 and later.
pub(super) fn is_of_8_6(version: u16) -> bool {
    (13..FIRST_VALKEY).contains(&version)
}

/// The servers that introduced a type or record that this reader does not know, for an error.
pub(super) fn written_by(number: u8, version: u16) -> &'static str {
    match number {
        _ if version >= FIRST_VALKEY => "Valkey 9.2 or later",
        FIRST_OF_8_10..=LAST_OF_8_10 | HASH_TEMPLATE => "Redis 8.10",
        _ => "a server newer than this program, or a fork",
    }
}

/// Whether a value of this type is a hash with expiring fields.
pub(crate) fn has_field_lives(value_type: u8) -> bool {
    (HASH_TTL_OLD..=HASH_LISTPACK_TTL).contains(&value_type)
}

/// Whether members of this type are allocated separately, and not in one piece.
pub(crate) fn is_spread(value_type: u8) -> bool {
    matches!(value_type, SET | ZSET | HASH | ZSET_BINARY | HASH_TTL_OLD | HASH_TTL)
}

/// The type name, as returned by `TYPE`, for a value's type byte.
#[must_use]
pub fn type_name(value_type: u8) -> &'static str {
    match value_type {
        STRING => "string",
        LIST | LIST_ZIPLIST | LIST_QUICKLIST | LIST_QUICKLIST_2 => "list",
        SET | SET_INTSET | SET_LISTPACK => "set",
        ZSET | ZSET_BINARY | ZSET_ZIPLIST | ZSET_LISTPACK => "zset",
        HASH
        | HASH_ZIPMAP
        | HASH_ZIPLIST
        | HASH_LISTPACK
        | HASH_TTL_OLD
        | HASH_LISTPACK_TTL_OLD
        | HASH_TTL
        | HASH_LISTPACK_TTL => "hash",
        STREAM | STREAM_2 | STREAM_3 | STREAM_4 | STREAM_5 => "stream",
        ARRAY => "array",
        MODULE_OLD | MODULE => "module",
        _ => "unknown",
    }
}

/// The name of a module's type from its number in the file: nine characters of six bits.
pub(super) fn module_type(id: u64) -> String {
    const CHARACTERS: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9).map(|place| char::from(CHARACTERS[(id >> (58 - 6 * place) & 63) as usize])).collect()
}

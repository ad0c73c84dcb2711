//! Finds the end of a value without decoding it.

use std::io::Read;

use super::error::{RdbError, RdbResult};
use super::source::Source;
use super::types::*;

/// Skips a value of `value_type`. Returns the module's type for a value of a module.
pub(super) fn skip_value<R: Read>(
    source: &mut Source<R>,
    value_type: u8,
    version: u16,
) -> RdbResult<Option<String>> {
    match value_type {
        STRING | HASH_ZIPMAP | LIST_ZIPLIST | SET_INTSET | ZSET_ZIPLIST | HASH_ZIPLIST
        | HASH_LISTPACK | ZSET_LISTPACK | SET_LISTPACK => source.skip_string()?,
        LIST | SET | LIST_QUICKLIST => each(source, Source::skip_string)?,
        HASH => each(source, |source| {
            source.skip_string()?;
            source.skip_string()
        })?,
        ZSET => each(source, |source| {
            source.skip_string()?;
            match source.byte()? {
                // NaN and both infinities.
                253..=255 => Ok(()),
                length => source.skip(length.into()),
            }
        })?,
        ZSET_BINARY => each(source, |source| {
            source.skip_string()?;
            source.skip(8)
        })?,
        LIST_QUICKLIST_2 => each(source, |source| {
            source.count()?;
            source.skip_string()
        })?,
        STREAM | STREAM_2 | STREAM_3 => skip_stream(source, value_type)?,
        STREAM_4 | STREAM_5 if is_of_8_6(version) => skip_stream(source, value_type)?,
        ARRAY if is_of_8_6(version) => skip_array(source)?,
        HASH_TTL_OLD if version >= FIRST_VALKEY => each(source, |source| {
            source.skip_string()?;
            source.skip_string()?;
            source.skip(8)
        })?,
        _ if value_type >= HASH_TTL_OLD && version >= FIRST_VALKEY => {
            return Err(RdbError::unknown(value_type, version));
        }
        HASH_TTL_OLD => skip_hash_with_ttl(source)?,
        HASH_TTL => {
            source.skip(8)?;
            skip_hash_with_ttl(source)?;
        }
        HASH_LISTPACK_TTL_OLD => source.skip_string()?,
        HASH_LISTPACK_TTL => {
            source.skip(8)?;
            source.skip_string()?;
        }
        MODULE => {
            let name = module_type(source.count()?);
            skip_module(source)?;
            return Ok(Some(name));
        }
        MODULE_OLD => return Err(RdbError::Module(module_type(source.count()?))),
        other => return Err(RdbError::unknown(other, version)),
    }
    Ok(None)
}

fn each<R: Read>(
    source: &mut Source<R>,
    mut skip: impl FnMut(&mut Source<R>) -> RdbResult<()>,
) -> RdbResult<()> {
    for _ in 0..source.count()? {
        skip(source)?;
    }
    Ok(())
}

fn skip_hash_with_ttl<R: Read>(source: &mut Source<R>) -> RdbResult<()> {
    each(source, |source| {
        source.count()?;
        source.skip_string()?;
        source.skip_string()
    })
}

fn skip_counts<R: Read>(source: &mut Source<R>, how_many: u32) -> RdbResult<()> {
    for _ in 0..how_many {
        source.count()?;
    }
    Ok(())
}

fn skip_stream<R: Read>(source: &mut Source<R>, value_type: u8) -> RdbResult<()> {
    let second = value_type != STREAM;
    each(source, |source| {
        source.skip_string()?;
        source.skip_string()
    })?;
    // Number of entries, last id; since the second format also the first id, the last deleted id
    // and the count of added entries.
    skip_counts(source, if second { 8 } else { 3 })?;
    each(source, |source| {
        source.skip_string()?;
        skip_counts(source, if second { 3 } else { 2 })?;
        each(source, |source| {
            source.skip(16 + 8)?;
            source.count().map(drop)
        })?;
        each(source, |source| {
            source.skip_string()?;
            source.skip(if value_type >= STREAM_3 { 16 } else { 8 })?;
            each(source, |source| source.skip(16))
        })?;
        if value_type == STREAM_5 {
            // Pending entries that a consumer has given back.
            each(source, |source| source.skip(16))?;
        }
        Ok(())
    })?;
    if value_type >= STREAM_4 {
        skip_producers(source)?;
    }
    Ok(())
}

/// Skips what Redis 8.6 remembers of producers: for how long, how many, for each producer its entries with their ids,
/// and two counters.
fn skip_producers<R: Read>(source: &mut Source<R>) -> RdbResult<()> {
    skip_counts(source, 2)?;
    each(source, |source| {
        source.skip_string()?;
        each(source, |source| {
            source.skip_string()?;
            skip_counts(source, 2)
        })
    })?;
    skip_counts(source, 2)
}

/// Skips an array: the number of elements, a flag and the place of the next one, then each with its index and kind.
fn skip_array<R: Read>(source: &mut Source<R>) -> RdbResult<()> {
    const BAD: RdbError = RdbError::Corrupt("an array has an unknown encoding");
    let count = source.count()?;
    match source.count()? {
        0 => {}
        1 => skip_counts(source, 1)?,
        _ => return Err(BAD),
    }
    for _ in 0..count {
        source.count()?;
        match source.count()? {
            // A string, long or short.
            0 | 3 => source.skip_string()?,
            // An integer, or a floating-point number.
            1 | 2 => source.skip(8)?,
            _ => return Err(BAD),
        }
    }
    Ok(())
}

/// Skips the metadata that modules keep of a key: of each module four bytes, and its data.
pub(super) fn skip_key_meta<R: Read>(source: &mut Source<R>) -> RdbResult<()> {
    each(source, |source| {
        source.skip(4)?;
        skip_module(source)
    })
}

/// Skips a module's data piece by piece, up to its end mark.
pub(super) fn skip_module<R: Read>(source: &mut Source<R>) -> RdbResult<()> {
    loop {
        match source.count()? {
            0 => return Ok(()),
            1 | 2 => skip_counts(source, 1)?,
            3 => source.skip(4)?,
            4 => source.skip(8)?,
            5 => source.skip_string()?,
            _ => return Err(RdbError::Corrupt("the value of a module has an unknown encoding")),
        }
    }
}

//! Redis's file format (RDB): reading, writing, and decoding of values.
//!
//! Everything here works on [`std::io::Read`] and [`std::io::Write`] and needs no server. Files are
//! untrusted: a length in a file never causes an allocation larger than the data that has arrived.

mod crc64;
mod decode;
mod empty;
mod encode;
mod encode_stream;
mod error;
mod format;
mod intset;
mod length;
mod listpack;
mod lzf;
mod payload;
mod reader;
mod scanner;
mod skip;
mod sound;
mod source;
mod stream;
mod translate;
mod types;
mod unpack;
mod value;
mod writer;
mod written;
mod ziplist;
mod zipmap;

pub use error::{RdbError, RdbResult};
pub use format::Format;
pub use payload::{Payload, PayloadDigest};
pub use reader::{Item, Key, RdbReader};
pub(crate) use translate::{Obstacle, translated, translated_dump};
pub use types::type_name;
pub(crate) use types::{has_field_lives, is_readable, is_spread};
pub use unpack::FileReader;
pub(crate) use unpack::unpacked;
pub use value::{Consumer, Group, HashField, Pending, Stream, StreamEntry, StreamId, Value};
pub use writer::{RdbWriter, WriterState};

/// A hash of a name that is equal in every run.
pub(crate) fn name_hash(name: &[u8]) -> u64 {
    // A checksum is linear in its bits and names differ in few, so the bits are mixed.
    let mut hash = crc64::Crc64::of(name);
    for multiplier in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        hash = (hash ^ (hash >> 31)).wrapping_mul(multiplier);
    }
    hash ^ (hash >> 31)
}

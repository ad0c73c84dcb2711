//! Redis's own file format: read it, write it, and look into the values.
//!
//! Everything here works on [`std::io::Read`] and [`std::io::Write`] and needs no server. A file
//! is untrusted: a length in it never makes this allocate more than has arrived.

mod crc64;
mod decode;
mod empty;
mod error;
mod intset;
mod listpack;
mod lzf;
mod payload;
mod reader;
mod scanner;
mod skip;
mod sound;
mod source;
mod stream;
mod types;
mod unpack;
mod value;
mod writer;
mod written;
mod ziplist;
mod zipmap;

pub use error::{RdbError, RdbResult};
pub use payload::{Payload, PayloadDigest};
pub use reader::{Item, Key, RdbReader};
pub use types::type_name;
pub(crate) use types::{has_field_lives, is_readable, is_spread};
pub use unpack::FileReader;
pub(crate) use unpack::unpacked;
pub use value::{Consumer, Group, HashField, Pending, Stream, StreamEntry, StreamId, Value};
pub use writer::{RdbWriter, WriterState};

/// A number for a name, the same in every run: to remember names by.
pub(crate) fn name_hash(name: &[u8]) -> u64 {
    // A checksum alone is linear in its bits, and names differ in few.
    let mut hash = crc64::Crc64::of(name);
    for multiplier in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        hash = (hash ^ (hash >> 31)).wrapping_mul(multiplier);
    }
    hash ^ (hash >> 31)
}

//! Compression by zstd, a C library: only with the feature `zstd`.

use crate::{Error, ErrorKind, Result};

/// The maximum size of a decompressed value (256 MiB): otherwise a few crafted kilobytes could fill the memory of the
/// reader.
pub const MAX_DECODED_BYTES: usize = 256 * 1024 * 1024;

/// zstd's default: OCR text shrinks to about a third at some hundred MB/s.
#[cfg(feature = "zstd")]
const LEVEL: i32 = 3;

/// The compressed bytes; `None` without the feature.
#[cfg(feature = "zstd")]
pub(crate) fn compress(plain: &[u8]) -> Result<Option<Vec<u8>>> {
    let packed = zstd::bulk::compress(plain, LEVEL);
    packed.map(Some).map_err(|error| Error::new(ErrorKind::Encode, "encode", error.to_string()))
}

#[cfg(not(feature = "zstd"))]
pub(crate) fn compress(_plain: &[u8]) -> Result<Option<Vec<u8>>> {
    Ok(None)
}

/// The decompressed size that the header states, up to [`MAX_DECODED_BYTES`].
#[cfg(feature = "zstd")]
pub(crate) fn decompressed_len(packed: &[u8]) -> Option<u64> {
    let said = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    // A damaged header may state any size.
    said.map(|length| length.min(MAX_DECODED_BYTES as u64))
}

#[cfg(not(feature = "zstd"))]
pub(crate) fn decompressed_len(_packed: &[u8]) -> Option<u64> {
    None
}

/// The decompressed bytes; `None` if they are more than `max`.
#[cfg(feature = "zstd")]
pub(crate) fn decompress(packed: &[u8], max: usize) -> Result<Option<Vec<u8>>> {
    use std::io::Read;
    let fail = |error: std::io::Error| wrong(format!("damaged zstd data: {error}"));
    if decompressed_len(packed).is_some_and(|said| said > max as u64) {
        return Ok(None);
    }
    let mut plain = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(fail)?;
    decoder.window_log_max(window_log(max)).map_err(fail)?;
    let read = decoder.take(max as u64 + 1).read_to_end(&mut plain);
    if plain.len() > max {
        return Ok(None);
    }
    read.map_err(fail)?;
    Ok(Some(plain))
}

/// The binary logarithm of the largest window that a value of at most `max` bytes needs. The header of a few bytes may
/// ask for a window of gigabytes.
#[cfg(feature = "zstd")]
fn window_log(max: usize) -> u32 {
    max.next_power_of_two().ilog2().clamp(SMALLEST_WINDOW, LARGEST_WINDOW)
}

/// A frame for a large value has a window of its own size, up to that of zstd's level 3 (2 MiB); other writers may use
/// other levels.
#[cfg(feature = "zstd")]
const SMALLEST_WINDOW: u32 = 21;
/// zstd's own limit, 128 MiB.
#[cfg(feature = "zstd")]
const LARGEST_WINDOW: u32 = 27;

#[cfg(not(feature = "zstd"))]
pub(crate) fn decompress(_packed: &[u8], _max: usize) -> Result<Option<Vec<u8>>> {
    Err(wrong("the value is compressed: to read it, build with the feature `zstd`".to_owned()))
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Decode, "decode", message)
}

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

/// The decompressed bytes.
#[cfg(feature = "zstd")]
pub(crate) fn decompress(packed: &[u8]) -> Result<Vec<u8>> {
    use std::io::Read;
    let fail = |error: std::io::Error| wrong(format!("damaged zstd data: {error}"));
    let mut plain = Vec::new();
    zstd::stream::read::Decoder::with_buffer(packed)
        .map_err(fail)?
        .take(MAX_DECODED_BYTES as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(fail)?;
    if plain.len() > MAX_DECODED_BYTES {
        return Err(wrong(format!(
            "the value decompresses to more than {MAX_DECODED_BYTES} bytes"
        )));
    }
    Ok(plain)
}

#[cfg(not(feature = "zstd"))]
pub(crate) fn decompress(_packed: &[u8]) -> Result<Vec<u8>> {
    Err(wrong("the value is compressed: to read it, build with the feature `zstd`".to_owned()))
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Decode, "decode", message)
}

//! Encodes and decodes values: JSON or MessagePack; with the feature `zstd` compressed above a threshold.
//!
//! Uncompressed JSON is stored as it is, so that programs in other languages can read it. Every other form starts
//! with the byte `0xC1`, which begins no JSON text, UTF-8 text or MessagePack value, and a second byte that names the
//! form.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::compression::{compress, decompress, decompressed_len};
use crate::{Error, ErrorKind, Result};

/// The format of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON text.
    #[default]
    Json,
    /// MessagePack with field names, so that a field can be added later.
    MessagePack,
}

/// A format, and the size from which values are compressed. Decoding accepts any form, whatever the codec, so that a
/// database can change its codec while it is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Codec {
    /// The format of the values.
    pub format: Format,
    /// Values of at least this many bytes are compressed; `None` means never. Without the feature `zstd` nothing is
    /// compressed.
    pub compress_from: Option<usize>,
}

impl Default for Codec {
    fn default() -> Self {
        Self::JSON
    }
}

const MARK: u8 = 0xC1;
const MESSAGE_PACK: u8 = 1;
const JSON_ZSTD: u8 = 2;
const MESSAGE_PACK_ZSTD: u8 = 3;

impl Codec {
    /// JSON, compressed from 4 KiB on. Below that the saving is small compared with Redis's own overhead for a key.
    pub const JSON: Self = Self { format: Format::Json, compress_from: Some(4_096) };
    /// MessagePack, compressed from 4 KiB on.
    pub const MESSAGE_PACK: Self = Self { format: Format::MessagePack, compress_from: Some(4_096) };

    /// The second byte of a cache entry, which is a value with a header. A cache reads and writes it, a codec does
    /// not. Later versions use a later byte.
    pub const CACHE_ENTRY: u8 = 0xE1;

    /// Sets the threshold for compression, in bytes; `None` means never.
    #[must_use]
    pub const fn compress_from(mut self, bytes: Option<usize>) -> Self {
        self.compress_from = bytes;
        self
    }

    /// Encodes `value`.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] for a value that the format cannot represent, such as a JSON map whose keys are not
    /// strings.
    pub fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Bytes> {
        let (plain, mark, mark_zstd) = match self.format {
            Format::Json => {
                (serde_json::to_vec(value).map_err(|e| encode_error(&e))?, None, JSON_ZSTD)
            }
            Format::MessagePack => (
                rmp_serde::to_vec_named(value).map_err(|e| encode_error(&e))?,
                Some(MESSAGE_PACK),
                MESSAGE_PACK_ZSTD,
            ),
        };
        if self.compress_from.is_some_and(|threshold| plain.len() >= threshold)
            && let Some(packed) = compress(&plain)?
            && packed.len() + 2 < plain.len()
        {
            return Ok(marked(mark_zstd, &packed));
        }
        Ok(match mark {
            Some(mark) => marked(mark, &plain),
            None => plain.into(),
        })
    }

    /// Decodes a value from `bytes` in any known form.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if they are not a value of type `T`, have an unknown form, decompress to more than
    /// [`MAX_DECODED_BYTES`](crate::MAX_DECODED_BYTES), or are compressed and the feature `zstd` is off.
    pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        match bytes {
            [MARK, MESSAGE_PACK, rest @ ..] => from_message_pack(rest),
            [MARK, JSON_ZSTD, rest @ ..] => from_json(&decompress(rest)?),
            [MARK, MESSAGE_PACK_ZSTD, rest @ ..] => from_message_pack(&decompress(rest)?),
            [MARK, Self::CACHE_ENTRY..=0xEF, ..] => Err(Error::new(
                ErrorKind::Decode,
                "decode",
                "it is an entry of a cache: read it through `Cache`, which wrote it",
            )),
            [MARK, form, ..] => Err(Error::new(
                ErrorKind::Decode,
                "decode",
                format!("unknown form {form}: a newer version wrote it"),
            )),
            json => from_json(json),
        }
    }

    /// The size of a value in bytes after decompression, roughly its cost in memory; the length of
    /// `bytes` if they do not record it.
    #[must_use]
    pub fn decoded_len(bytes: &[u8]) -> u64 {
        let own = bytes.len() as u64;
        match bytes {
            [MARK, JSON_ZSTD | MESSAGE_PACK_ZSTD, packed @ ..] => {
                decompressed_len(packed).unwrap_or(own)
            }
            _ => own,
        }
    }
}

fn marked(form: u8, payload: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(payload.len() + 2);
    bytes.extend_from_slice(&[MARK, form]);
    bytes.extend_from_slice(payload);
    bytes.into()
}

fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| decode_error::<T>("JSON", &error))
}

fn from_message_pack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    rmp_serde::from_slice(bytes).map_err(|error| decode_error::<T>("MessagePack", &error))
}

// The messages of the format crates may quote the value. That is user data, not a secret of ours; positions and
// expectations are what a reader needs.
fn decode_error<T>(format: &str, error: &dyn std::fmt::Display) -> Error {
    let wanted = std::any::type_name::<T>();
    Error::new(ErrorKind::Decode, "decode", format!("not valid {format} for a {wanted}: {error}"))
}

fn encode_error(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Encode, "encode", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Page {
        number: u32,
        text: String,
        parts: Vec<Option<i64>>,
    }

    fn page() -> impl Strategy<Value = Page> {
        (any::<u32>(), ".{0,300}", prop::collection::vec(any::<Option<i64>>(), 0..20))
            .prop_map(|(number, text, parts)| Page { number, text, parts })
    }

    proptest! {
        #[test]
        fn every_form_reads_back(page in page(), from in prop::option::of(0usize..400)) {
            for codec in [Codec::JSON, Codec::MESSAGE_PACK] {
                let bytes = codec.compress_from(from).encode(&page).unwrap();
                prop_assert_eq!(&Codec::decode::<Page>(&bytes).unwrap(), &page);
            }
        }

        #[test]
        fn damaged_bytes_are_an_error_and_never_a_panic(bytes: Vec<u8>) {
            let _ = Codec::decode::<Page>(&bytes);
            let _ = Codec::decode::<Page>(&[&[MARK, MESSAGE_PACK_ZSTD], bytes.as_slice()].concat());
        }
    }

    #[test]
    fn small_json_is_stored_as_plain_json() {
        assert_eq!(Codec::JSON.encode(&vec![1, 2]).unwrap(), "[1,2]");
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn the_length_in_memory_is_known_without_decompressing() {
        let text = "the court finds that ".repeat(1_000);
        let packed = Codec::JSON.encode(&text).unwrap();
        assert_eq!(Codec::decoded_len(&packed), text.len() as u64 + 2);
        assert_eq!(Codec::decoded_len(b"[1,2]"), 5);
        assert_eq!(Codec::decoded_len(&[MARK, JSON_ZSTD, 1]), 3);
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn large_values_shrink() {
        let text = "the court finds that ".repeat(1_000);
        let bytes = Codec::JSON.encode(&text).unwrap();
        assert!(bytes.len() < text.len() / 10, "{}", bytes.len());
    }

    #[test]
    #[cfg(not(feature = "zstd"))]
    fn without_the_feature_nothing_is_compressed_and_what_is_names_it() {
        let text = "the court finds that ".repeat(1_000);
        assert!(Codec::JSON.encode(&text).unwrap().starts_with(b"\"the court"));
        let error = Codec::decode::<Page>(&[MARK, JSON_ZSTD, 1, 2]).unwrap_err();
        assert!(error.to_string().contains("the feature `zstd`"), "{error}");
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn a_bomb_is_refused() {
        let bomb = compress(&vec![b' '; crate::MAX_DECODED_BYTES + 1]).unwrap().unwrap();
        let error = Codec::decode::<Page>(&marked(JSON_ZSTD, &bomb)).unwrap_err();
        assert!(error.to_string().contains("more than"), "{error}");
    }

    #[test]
    fn an_entry_of_a_cache_says_who_reads_it() {
        let error = Codec::decode::<Page>(&[MARK, Codec::CACHE_ENTRY, 0, 0]).unwrap_err();
        assert!(error.to_string().contains("read it through `Cache`"), "{error}");
    }

    #[test]
    fn an_unknown_form_says_that_a_newer_program_wrote_it() {
        let error = Codec::decode::<Page>(&[MARK, 200, 0]).unwrap_err();
        assert!(error.to_string().contains("newer version"), "{error}");
    }
}

//! Encodes and decodes values: JSON or MessagePack; with the feature `zstd` compressed above a threshold.
//!
//! Uncompressed JSON is stored as it is, so that programs in other languages can read it. Every other form starts
//! with the byte `0xC1`, which begins no JSON text, UTF-8 text or MessagePack value, and a second byte that names the
//! form.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::compression::{compress, decompress, decompressed_len};
use crate::decoding::{DecodeLimit, MAX_NESTING};
use crate::{Error, ErrorKind, MAX_DECODED_BYTES, Result};

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
    /// [`MAX_DECODED_BYTES`], are nested deeper than [`MAX_NESTING`], or are compressed and the feature `zstd` is off.
    pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        Self::decode_within(bytes, DecodeLimit::DEFAULT)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Decode,
                "decode",
                format!("the value decompresses to more than {MAX_DECODED_BYTES} bytes"),
            )
        })
    }

    /// Decodes a value as [`Codec::decode`] does, if that takes no more memory than `limit` allows; `None` if it may
    /// take more.
    ///
    /// # Errors
    /// As [`Codec::decode`].
    pub fn decode_within<T: DeserializeOwned>(
        bytes: &[u8],
        limit: DecodeLimit,
    ) -> Result<Option<T>> {
        let Some((form, plain)) = plain(bytes, limit)? else { return Ok(None) };
        match form {
            Format::Json if limit.allows_json(&plain) => from_json(&plain).map(Some),
            Format::MessagePack if limit.allows_message_pack(&plain) => {
                from_message_pack(&plain).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether [`Codec::decode_within`] decodes these bytes, which this codec has written, within the limit.
    #[must_use]
    pub fn is_within(bytes: &[u8], limit: DecodeLimit) -> bool {
        let length = usize::try_from(Self::decoded_len(bytes)).unwrap_or(usize::MAX);
        if length <= limit.bytes && limit.allows_any(length) {
            return true;
        }
        match plain(bytes, limit) {
            Ok(Some((Format::Json, plain))) => limit.allows_json(&plain),
            Ok(Some((Format::MessagePack, plain))) => limit.allows_message_pack(&plain),
            _ => false,
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

/// The format of stored bytes, and the value without compression; `None` if it is larger than the limit.
fn plain(bytes: &[u8], limit: DecodeLimit) -> Result<Option<(Format, Cow<'_, [u8]>)>> {
    let (format, plain) = match bytes {
        [MARK, MESSAGE_PACK, rest @ ..] => (Format::MessagePack, Some(Cow::Borrowed(rest))),
        [MARK, JSON_ZSTD, rest @ ..] => {
            (Format::Json, decompress(rest, limit.bytes)?.map(Cow::Owned))
        }
        [MARK, MESSAGE_PACK_ZSTD, rest @ ..] => {
            (Format::MessagePack, decompress(rest, limit.bytes)?.map(Cow::Owned))
        }
        [MARK, Codec::CACHE_ENTRY..=0xEF, ..] => {
            return Err(Error::new(
                ErrorKind::Decode,
                "decode",
                "it is an entry of a cache: read it through `Cache`, which wrote it",
            ));
        }
        [MARK, form, ..] => {
            return Err(Error::new(
                ErrorKind::Decode,
                "decode",
                format!("unknown form {form}: a newer version wrote it"),
            ));
        }
        json => (Format::Json, Some(Cow::Borrowed(json))),
    };
    Ok(plain.map(|plain| (format, plain)))
}

fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| decode_error::<T>("JSON", &error))
}

fn from_message_pack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    decoder.set_max_depth(MAX_NESTING);
    T::deserialize(&mut decoder).map_err(|error| decode_error::<T>("MessagePack", &error))
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
    #[cfg(feature = "zstd")]
    fn a_few_bytes_that_expand_keep_the_limit_of_their_reader() {
        let limit = DecodeLimit::of_entries(1 << 20);
        let text = compress(format!("\"{}\"", "a".repeat(4 << 20)).as_bytes()).unwrap().unwrap();
        let list = compress(format!("[{}0]", "0,".repeat(1 << 20)).as_bytes()).unwrap().unwrap();
        let maps =
            compress(format!("[{}{{}}]", "{},".repeat(1 << 16)).as_bytes()).unwrap().unwrap();
        let small = compress(format!("\"{}\"", "a".repeat(1 << 20)).as_bytes()).unwrap().unwrap();
        for (packed, fits) in [(text, false), (list, false), (maps, false), (small, true)] {
            let bytes = marked(JSON_ZSTD, &packed);
            assert!(bytes.len() < 4_096, "{}", bytes.len());
            let decoded = Codec::decode_within::<serde_json::Value>(&bytes, limit).unwrap();
            assert_eq!(decoded.is_some(), fits);
            assert_eq!(Codec::is_within(&bytes, limit), fits);
            assert!(Codec::decode::<serde_json::Value>(&bytes).is_ok());
        }
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn a_frame_that_hides_its_length_or_wants_a_large_window_keeps_the_limit() {
        use std::io::Write;
        let limit = DecodeLimit::of_entries(1 << 20);
        for (window, length, fits) in [(27, 100_000, false), (20, 5 << 20, false), (20, 100, true)]
        {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window).unwrap();
            encoder.include_contentsize(false).unwrap();
            encoder.write_all(format!("\"{}\"", "a".repeat(length)).as_bytes()).unwrap();
            let bytes = marked(JSON_ZSTD, &encoder.finish().unwrap());
            let decoded = Codec::decode_within::<String>(&bytes, limit);
            assert_eq!(matches!(decoded, Ok(Some(_))), fits, "{window} {length}: {decoded:?}");
        }
    }

    #[test]
    fn a_value_that_is_nested_too_deep_is_refused_in_both_formats() {
        let json = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(Codec::decode::<serde_json::Value>(json.as_bytes()).is_err());
        let arrays = [&[0x91].repeat(200)[..], &[0xc0]].concat();
        assert!(Codec::decode::<serde_json::Value>(&marked(MESSAGE_PACK, &arrays)).is_err());
        let shallow = [&[0x91].repeat(100)[..], &[0xc0]].concat();
        assert!(Codec::decode::<serde_json::Value>(&marked(MESSAGE_PACK, &shallow)).is_ok());
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

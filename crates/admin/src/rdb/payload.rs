//! Payloads of `DUMP`: one value with its type, version and checksum.

use super::crc64::Crc64;
use super::decode::decode;
use super::error::{RdbError, RdbResult};
use super::skip::skip_key_meta;
use super::source::Source;
use super::types::{KEY_META, STREAM, has_field_lives, is_known, is_of_8_6, type_name};
use super::value::{StreamId, Value};

/// A digest of a value: see [`Value::digest`].
pub type PayloadDigest = [u8; 32];

/// Version and checksum.
const FOOTER: usize = 2 + 8;

/// A parsed answer of `DUMP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    value_type: u8,
    value: &'a [u8],
    version: u16,
}

impl<'a> Payload<'a> {
    /// A payload from its parts, as a file has them.
    pub(crate) fn of(value_type: u8, value: &'a [u8], version: u16) -> Self {
        Self { value_type, value, version }
    }

    /// Whether it is a hash with a field that expires. Redis keeps the encoding after the last such field is gone.
    pub(crate) fn expires_by_field(&self) -> bool {
        has_field_lives(self.value_type)
            && self.value().map_or(true, |value| value.expires_by_field())
    }

    /// Checks the footer.
    ///
    /// # Errors
    /// When the bytes are too few, their version is not known, or the checksum is wrong.
    pub fn parse(dump: &'a [u8]) -> RdbResult<Self> {
        let payload = Self::parse_unchecked(dump)?;
        let summed = dump.len() - 8;
        let found = dump[summed..].try_into().map(u64::from_le_bytes).unwrap_or_default();
        let expected = Crc64::of(&dump[..summed]);
        if found != expected {
            return Err(RdbError::Checksum { found, expected });
        }
        if !is_known(payload.version) {
            return Err(RdbError::Version(payload.version));
        }
        Ok(payload)
    }

    /// Parses a payload without the checksum, for payloads that come straight from a server.
    pub(crate) fn parse_unchecked(dump: &'a [u8]) -> RdbResult<Self> {
        let footer = dump.len().checked_sub(FOOTER).filter(|at| *at > 1);
        let footer = footer.ok_or(RdbError::Truncated(dump.len() as u64))?;
        let version = u16::from_le_bytes([dump[footer], dump[footer + 1]]);
        let mut body = &dump[..footer];
        if body[0] == KEY_META && is_of_8_6(version) {
            // Before the value, and of modules only.
            let mut source = Source::new(&body[1..]);
            skip_key_meta(&mut source)?;
            let read = usize::try_from(source.offset()).unwrap_or(usize::MAX);
            let rest = body.get(1 + read..).filter(|rest| !rest.is_empty());
            body = rest.ok_or(RdbError::Truncated(dump.len() as u64))?;
        }
        Ok(Self { value_type: body[0], value: &body[1..], version })
    }

    /// The type byte, which includes the encoding.
    #[must_use]
    pub fn value_type(&self) -> u8 {
        self.value_type
    }

    /// The type name, as returned by `TYPE`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        type_name(self.value_type)
    }

    /// The encoded value, as in a file.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.value
    }

    /// The RDB version of the payload.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Decodes the value.
    ///
    /// # Errors
    /// When it is damaged, or of a module's type.
    pub fn value(&self) -> RdbResult<Value> {
        decode(self.value_type, self.version, self.value)
    }

    /// A digest that is equal for equal values, independent of their encodings.
    ///
    /// # Errors
    /// As [`Payload::value`].
    pub fn digest(&self) -> RdbResult<PayloadDigest> {
        self.value().map(|value| value.digest())
    }

    /// Whether both are the same hash if expiries of fields do not count, and fields that have expired by `now_ms` are
    /// gone.
    pub(crate) fn same_without_field_lives(&self, other: &Payload<'_>, now_ms: u64) -> bool {
        let digest = |payload: &Payload<'_>| {
            payload.value().map(|value| value.without_field_lives(now_ms).digest())
        };
        matches!((digest(self), digest(other)), (Ok(one), Ok(two)) if one == two)
    }

    /// Whether both are the same value. Fast if the bytes are equal, which is the only test for a
    /// module's type. Streams of servers before 7.0 lack the count of added entries and the last
    /// deleted id; compared with such a stream, these two are ignored.
    #[must_use]
    pub fn same_value(&self, other: &Payload<'_>) -> bool {
        if self.value_type == other.value_type && self.value == other.value {
            return true;
        }
        let old = self.value_type == STREAM || other.value_type == STREAM;
        let digest = |payload: &Payload<'_>| match payload.value() {
            Ok(Value::Stream(mut stream)) if old => {
                (stream.entries_added, stream.max_deleted_id) = (0, StreamId::default());
                Ok(Value::Stream(stream).digest())
            }
            value => value.map(|value| value.digest()),
        };
        matches!((digest(self), digest(other)), (Ok(one), Ok(two)) if one == two)
    }
}

//! A value of one line of servers in the format of another: as it is where both have the encoding, else written again.

use std::borrow::Cow;

use super::encode::{NoForm, encode, with_footer};
use super::error::RdbError;
use super::format::Format;
use super::payload::Payload;
use super::types::{MODULE, is_opaque, type_name};

/// Why a value cannot go to another line of servers.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// The line has no such type.
    NoSuchType(&'static str),
    /// The line knows no fields that expire.
    FieldLives,
    /// It cannot be read here.
    Unreadable(RdbError),
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchType(kind) => {
                write!(f, "it is of the type {kind}, which those servers do not have")
            }
            Self::FieldLives => {
                f.write_str("it is a hash with fields that expire, which those servers do not know")
            }
            Self::Unreadable(error) => std::fmt::Display::fmt(error, f),
        }
    }
}

impl From<NoForm> for Obstacle {
    fn from(none: NoForm) -> Self {
        match none {
            NoForm::FieldLives => Self::FieldLives,
        }
    }
}

/// The type byte and the encoded value as that line reads them. With the time of
/// `drops_field_lives` (milliseconds since 1970), fields never expire there, and those that have expired by then are gone.
///
/// # Errors
/// If the line cannot hold the value, or it cannot be read here.
pub(crate) fn translated<'a>(
    payload: &Payload<'a>,
    format: Format,
    drops_field_lives: Option<u64>,
) -> Result<(u8, Cow<'a, [u8]>), Obstacle> {
    let value_type = payload.value_type();
    // A module reads its own data, whatever server it is in.
    let is_own = value_type == MODULE || format.has_type(value_type, payload.version());
    if is_own && drops_field_lives.is_none() {
        return Ok((value_type, Cow::Borrowed(payload.raw())));
    }
    if is_opaque(value_type) {
        return Err(Obstacle::NoSuchType(type_name(value_type)));
    }
    let mut value = payload.value().map_err(Obstacle::Unreadable)?;
    if let Some(now_ms) = drops_field_lives {
        value = value.without_field_lives(now_ms);
    }
    let mut bytes = Vec::with_capacity(payload.raw().len());
    let value_type = encode(&value, format, &mut bytes)?;
    Ok((value_type, Cow::Owned(bytes)))
}

/// [`translated`], as an answer of `DUMP`.
///
/// # Errors
/// As [`translated`].
pub(crate) fn translated_dump(
    payload: &Payload<'_>,
    format: Format,
    drops_field_lives: Option<u64>,
) -> Result<Vec<u8>, Obstacle> {
    let (value_type, value) = translated(payload, format, drops_field_lives)?;
    Ok(with_footer(value_type, &value, format.version()))
}

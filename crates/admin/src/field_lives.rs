//! Hashes whose fields expire, and servers that know no such fields.

use serde::{Deserialize, Serialize};

use crate::rdb::Payload;

/// What happens to hashes whose fields expire if the target knows no such fields: Redis before 7.4, Valkey before 9.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldLives {
    /// The migration does not begin.
    #[default]
    Stop,
    /// Those hashes stay in the source.
    Leave,
    /// They move, and their fields never expire. The expiry of the key itself is kept.
    Drop,
}

/// Whether an answer of `DUMP` is a hash with a field that expires.
pub(crate) fn expires_by_field(dump: &[u8]) -> bool {
    Payload::parse_unchecked(dump).is_ok_and(|payload| payload.expires_by_field())
}

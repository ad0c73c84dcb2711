//! Writes a value again in the format of its target, if that does not read the source's.

use std::borrow::Cow;

use compartment_core::{Error, ErrorKind};

use super::{Lane, key_error};
use crate::field_lives::{FieldLives, expires_by_field};
use crate::rdb::{Obstacle, Payload, translated_dump};
use crate::snapshot::Snapshot;
use crate::{AdminError, Result, escape};

impl Lane {
    /// Whether the key stays in the source, by the operator's choice, because its fields expire and the target knows no
    /// such fields.
    pub(super) fn stays(&self, number: usize, snapshot: &Snapshot) -> bool {
        self.course.field_lives == FieldLives::Leave
            && !self.course.knows_field_lives(number)
            && expires_by_field(&snapshot.payload)
    }

    /// The payload as target `number` reads it.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] if the target cannot hold the value, and the operator has not chosen to leave it or to
    /// drop what the target does not know.
    pub(super) fn payload_for<'a>(
        &self,
        number: usize,
        name: &[u8],
        snapshot: &'a Snapshot,
    ) -> Result<Cow<'a, [u8]>> {
        let as_it_is = Cow::Borrowed(snapshot.payload.as_slice());
        let Some(format) = self.course.formats.get(number).copied().flatten() else {
            return Ok(as_it_is);
        };
        let fail = |error: &dyn std::fmt::Display| {
            let error =
                Error::new(ErrorKind::Unsupported, "write in another format", error.to_string());
            key_error(&self.course, error, number, name)
        };
        let payload = Payload::parse_unchecked(&snapshot.payload).map_err(|error| fail(&error))?;
        if format.reads(payload.version()) {
            return Ok(as_it_is);
        }
        let drops = snapshot.drops_field_lives;
        match translated_dump(&payload, format, drops) {
            Ok(payload) => Ok(Cow::Owned(payload)),
            Err(Obstacle::FieldLives) => Err(self.unknown_field_lives(name)),
            Err(obstacle) => Err(fail(&obstacle)),
        }
    }

    pub(super) fn unknown_field_lives(&self, name: &[u8]) -> AdminError {
        AdminError::Unsafe(format!(
            "the key \"{}\" is a hash with fields that expire, and {} knows no such fields. It stays in {}. \
             Run the same command again with --field-lives leave (such keys stay) or --field-lives drop (they \
             move, and their fields never expire)",
            escape(name),
            self.course.unknowing_target(),
            self.course.source,
        ))
    }
}

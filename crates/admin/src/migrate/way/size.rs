//! Handles values that a target refuses: too large, or with expiries of fields by another clock.

use compartment_core::{Error, ErrorKind};

use super::{Lane, Way, key_error};
use crate::field_lives::expires_by_field;
use crate::size::size;
use crate::snapshot::Snapshot;
use crate::typed::max_bytes;
use crate::{AdminError, Result, escape};

impl Lane {
    /// Whether the payload, as it is sent, exceeds the target's limit, so that it would close the connection.
    pub(super) fn is_too_large(&self, number: usize, payload: &[u8]) -> bool {
        let max =
            self.course.targets.get(number).map_or(u64::MAX, |place| max_bytes(place.server()));
        payload.len() as u64 > max
    }

    /// Refuses a hash whose fields expire if the clocks differ, because those expiries are inside
    /// its value.
    pub(super) fn refuse_field_lives(
        &self,
        number: usize,
        name: &[u8],
        snapshot: &Snapshot,
    ) -> Result<()> {
        let has_lives = expires_by_field(&snapshot.payload);
        let carries_them = snapshot.drops_field_lives.is_none() && has_lives;
        if self.course.shift(number).is_none() || !carries_them {
            return Ok(());
        }
        Err(AdminError::Unsafe(format!(
            "the key \"{}\" is a hash whose fields have an expiry, and the clocks of {} and its target \
             differ: correct the clocks, and run the same command again",
            escape(name),
            self.course.source
        )))
    }

    /// The error for an oversized payload that cannot be moved in parts.
    pub(super) fn explain_size(&self, number: usize, name: &[u8], payload: &[u8]) -> Result<()> {
        let Some(target) = self.course.targets.get(number) else { return Ok(()) };
        let how = if target.server().is_cluster() {
            "raise that limit during the move"
        } else if !self.course.any_way && self.way != Way::Typed {
            "move it in parts with --strategy typed, or raise that limit during the move"
        } else {
            return Ok(());
        };
        let what = format!(
            "its payload is {}, but the server accepts {} at once (proto-max-bulk-len): {how}",
            size(payload.len() as u64),
            size(max_bytes(target.server())),
        );
        Err(key_error(&self.course, Error::new(ErrorKind::Contract, "restore", what), number, name))
    }
}

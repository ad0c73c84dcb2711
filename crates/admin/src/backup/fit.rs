//! Whether keys fit into the file: a file for another line of servers may have no form for some of them.

use std::borrow::Cow;

use crate::error::{AdminError, Result};
use crate::escape;
use crate::field_lives::FieldLives;
use crate::rdb::{Format, Payload, translated};

/// Names and reasons in an error.
const SHOWN: usize = 10;

/// The line of servers that a file is for, and the keys that it cannot hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Fit {
    /// `None` for the format of the source.
    format: Option<Format>,
    field_lives: FieldLives,
    /// Some of the keys, with the reason.
    unfit: Vec<String>,
}

impl Fit {
    pub(super) fn new(format: Option<Format>, field_lives: FieldLives) -> Self {
        Self { format, field_lives, unfit: Vec::new() }
    }

    /// The RDB version of the file, if the source is of `version`.
    pub(super) fn version_for(&self, version: u16) -> u16 {
        self.format.map_or(version, Format::version)
    }

    /// The type byte, the value and its RDB version for the file; `None` if the key is left out, or has no form there.
    pub(super) fn form<'a>(
        &mut self,
        name: &[u8],
        payload: &Payload<'a>,
    ) -> Option<(u8, Cow<'a, [u8]>, u16)> {
        let version = payload.version();
        let Some(format) = self.format else {
            return Some((payload.value_type(), Cow::Borrowed(payload.raw()), version));
        };
        let lives = !format.has_field_lives() && payload.expires_by_field();
        if lives && self.field_lives == FieldLives::Leave {
            return None;
        }
        let drops = lives && self.field_lives == FieldLives::Drop;
        match translated(payload, format, drops) {
            Ok((kind, value)) => Some((kind, value, format.version())),
            Err(obstacle) => {
                if self.unfit.len() < SHOWN {
                    self.unfit.push(format!("\"{}\": {obstacle}", escape(name)));
                }
                None
            }
        }
    }

    /// Refuses a file that `unfit` keys have no form for, unless they were left out by choice.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] with some of the names.
    pub(super) fn refuse(&self, unfit: u64) -> Result<()> {
        let Some(format) = self.format.filter(|_| unfit > 0) else { return Ok(()) };
        if self.field_lives == FieldLives::Leave && self.unfit.is_empty() {
            return Ok(());
        }
        let more = if unfit > self.unfit.len() as u64 { "; …" } else { "" };
        Err(AdminError::Unsafe(format!(
            "{unfit} keys have no form in a file for {format}: {}{more}. No file was written. Leave them out with \
             a pattern; for hashes with expiring fields choose --field-lives leave (they are left out) or \
             --field-lives drop (their fields never expire)",
            self.unfit.join("; "),
        )))
    }
}

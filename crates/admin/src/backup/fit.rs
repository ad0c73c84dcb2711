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
    /// The server's time, in milliseconds since 1970, by which fields have expired.
    now_ms: u64,
}

/// A key in a file.
pub(super) enum Form<'a> {
    /// Its type byte, its value, and the RDB version of both.
    Value(u8, Cow<'a, [u8]>, u16),
    /// It is left out by choice.
    LeftOut,
    /// Every field of the hash has expired.
    Over,
    /// The line of servers has no form for it.
    None,
}

impl Fit {
    pub(super) fn new(format: Option<Format>, field_lives: FieldLives, now_ms: u64) -> Self {
        Self { format, field_lives, unfit: Vec::new(), now_ms }
    }

    /// The RDB version of the file, if the source is of `version`.
    pub(super) fn version_for(&self, version: u16) -> u16 {
        self.format.map_or(version, Format::version)
    }

    /// The key as the file holds it.
    pub(super) fn form<'a>(&mut self, name: &[u8], payload: &Payload<'a>) -> Form<'a> {
        let version = payload.version();
        let Some(format) = self.format else {
            return Form::Value(payload.value_type(), Cow::Borrowed(payload.raw()), version);
        };
        let lives = !format.has_field_lives() && payload.expires_by_field();
        let drops = match (lives, self.field_lives) {
            (true, FieldLives::Leave) => return Form::LeftOut,
            (true, FieldLives::Drop) => Some(self.now_ms),
            _ => None,
        };
        if drops.is_some_and(|now| payload.value().is_ok_and(|value| value.is_over(now))) {
            return Form::Over;
        }
        match translated(payload, format, drops) {
            Ok((kind, value)) => Form::Value(kind, value, format.version()),
            Err(obstacle) => {
                if self.unfit.len() < SHOWN {
                    self.unfit.push(format!("\"{}\": {obstacle}", escape(name)));
                }
                Form::None
            }
        }
    }

    /// Refuses a file that `unfit` keys have no form for.
    ///
    /// # Errors
    /// [`AdminError::Unsafe`] with some of the names.
    pub(super) fn refuse(&self, unfit: u64) -> Result<()> {
        let Some(format) = self.format.filter(|_| unfit > 0) else { return Ok(()) };
        let more = if unfit > self.unfit.len() as u64 { "; …" } else { "" };
        Err(AdminError::Unsafe(format!(
            "{unfit} keys have no form in a file for {format}: {}{more}. No file was written. Leave them out with \
             a pattern; for hashes with expiring fields choose --field-lives leave (they are left out) or \
             --field-lives drop (their fields never expire)",
            self.unfit.join("; "),
        )))
    }
}

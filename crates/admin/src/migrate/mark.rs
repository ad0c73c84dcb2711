//! Marks of copied keys: a few bytes that show whether a key has changed since.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::Item;
use crate::clocks::ClockShift;
use crate::rdb::{Payload, StreamId, Value};
use crate::snapshot::Snapshot;

/// A key that was copied, with the mark of the source's value; `None` once the source no longer has
/// it.
#[derive(Clone, Debug)]
pub(crate) struct Copied {
    pub(crate) item: Item,
    pub(crate) mark: Option<Mark>,
}

/// A digest of a value, independent of its encoding, and its expiry by the source's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    digest: [u8; 16],
    expires_at: Option<u64>,
}

impl Mark {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let digest = digest(&snapshot.payload, snapshot.drops_field_lives);
        Self { digest, expires_at: snapshot.expires_at }
    }

    /// Whether the snapshot has this value, and this expiry within `slack_ms`.
    pub(crate) fn is_of(&self, snapshot: &Snapshot, slack_ms: u64) -> bool {
        let together = match (self.expires_at, snapshot.expires_at) {
            (None, None) => true,
            (Some(a), Some(b)) => a.abs_diff(b) <= slack_ms,
            _ => false,
        };
        together && self.digest == digest(&snapshot.payload, snapshot.drops_field_lives)
    }

    /// Converts its expiry from the second clock to the first.
    pub(crate) fn back(mut self, shift: ClockShift) -> Self {
        self.expires_at = self.expires_at.map(|at| shift.back(at));
        self
    }

    /// Its form in a journal.
    pub(crate) fn word(&self) -> String {
        let mut word = String::with_capacity(48);
        for byte in self.digest {
            let _ = write!(word, "{byte:02x}");
        }
        if let Some(at) = self.expires_at {
            let _ = write!(word, ".{at}");
        }
        word
    }

    /// Reads [`Mark::word`].
    pub(crate) fn read(word: &str) -> Option<Self> {
        let (hex, expires_at) = match word.split_once('.') {
            Some((hex, at)) => (hex, Some(at.parse().ok()?)),
            None => (word, None),
        };
        let number = (hex.len() == 32).then(|| u128::from_str_radix(hex, 16).ok())??;
        Some(Self { digest: number.to_be_bytes(), expires_at })
    }
}

fn digest(payload: &[u8], drops_field_lives: Option<u64>) -> [u8; 16] {
    let value = Payload::parse_unchecked(payload).and_then(|payload| payload.value());
    let whole = match value {
        // Servers before 7.0 do not have these fields.
        Ok(Value::Stream(mut stream)) => {
            (stream.entries_added, stream.max_deleted_id) = (0, StreamId::default());
            Value::Stream(stream).digest()
        }
        Ok(value) => match drops_field_lives {
            Some(now_ms) => value.without_field_lives(now_ms).digest(),
            None => value.digest(),
        },
        // A module's type: equal if its bytes are equal.
        Err(_) => Sha256::digest(&payload[..payload.len().saturating_sub(10)]).into(),
    };
    let mut short = [0; 16];
    short.copy_from_slice(&whole[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_from_its_word_and_knows_its_key() {
        let snapshot = |payload: &[u8], expires_at| Snapshot {
            payload: payload.to_vec(),
            expires_at,
            drops_field_lives: None,
        };
        let one = snapshot(b"\x00\x01a\x0b\x00--------", Some(1_000));
        let mark = Mark::of(&one);
        assert_eq!(Mark::read(&mark.word()), Some(mark.clone()));
        assert!(mark.is_of(&one, 0));
        // Another format version and checksum do not matter, only the value.
        assert!(mark.is_of(&snapshot(b"\x00\x01a\x0a\x00++++++++", Some(1_010)), 20));
        assert!(!mark.is_of(&snapshot(b"\x00\x01b\x0b\x00--------", Some(1_000)), 20));
        assert!(!mark.is_of(&snapshot(b"\x00\x01a\x0b\x00--------", Some(1_100)), 20));
        assert!(!mark.is_of(&snapshot(b"\x00\x01a\x0b\x00--------", None), 20));
        let forever = Mark::of(&snapshot(b"\x00\x01a\x0b\x00--------", None));
        assert_eq!(Mark::read(&forever.word()), Some(forever));
        assert!(Mark::read("12").is_none() && Mark::read("-").is_none());
    }
}

//! Differences between a batch and the ledger.

use compartment_core::BatchAudit;
use compartment_core::backend::ordinals_to_text;
use serde::{Serialize, Serializer};

/// A kind of difference about documents of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DriftKind {
    /// Done in the batch, without a row in the ledger that says so.
    DoneWithoutRow,
    /// Dead in the batch, without a row in the ledger that says so.
    DeadWithoutRow,
    /// Done in the ledger, not in the batch.
    RowWithoutDone,
    /// Dead in the ledger, not in the batch.
    RowWithoutDead,
}

impl DriftKind {
    /// A description for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::DoneWithoutRow => "done without a row",
            Self::DeadWithoutRow => "dead without a row",
            Self::RowWithoutDone => "a row says done, the batch does not",
            Self::RowWithoutDead => "a row says dead, the batch does not",
        }
    }
}

/// Documents of a stage for which batch and ledger differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LedgerDrift {
    /// The stage.
    pub stage: String,
    /// The index of the stage in the plan.
    pub index: usize,
    /// The kind of the difference.
    pub kind: DriftKind,
    /// The documents, as in `0-99,104`.
    #[serde(serialize_with = "as_text")]
    pub ordinals: Vec<u32>,
}

fn as_text<S: Serializer>(ordinals: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&ordinals_to_text(ordinals))
}

/// The findings of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// The batch.
    pub batch: String,
    /// The number of documents.
    pub total: u64,
    /// When the batch was audited, in milliseconds since 1970 UTC.
    pub at_ms: u64,
    /// Counts of the batch that differ from its bits.
    pub counters: Vec<compartment_core::CounterDrift>,
    /// Stages and ordinals of documents that are due and that no claim would ever return.
    pub stranded: Vec<(usize, u32)>,
    /// Whether the batch is sealed and settled but its completion never became due.
    pub completion_missed: bool,
    /// Differences between bits and rows; empty for a batch without a ledger.
    pub ledger: Vec<LedgerDrift>,
    /// Whether rows were compared: the batch has an outbox and a ledger.
    pub compared_with_ledger: bool,
    /// Entries of the outbox that could not be read so far. The ledger keeps them.
    pub unreadable: u64,
    /// The ledger's row of the batch.
    #[serde(skip)]
    pub(super) row: Option<i64>,
    /// The findings of the batch's own store, on which the repair is based.
    #[serde(skip)]
    pub(super) audit: BatchAudit,
}

impl AuditReport {
    /// Whether everything agrees.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counters.is_empty()
            && self.stranded.is_empty()
            && !self.completion_missed
            && self.ledger.is_empty()
    }

    /// The number of documents, counts and completions that are wrong.
    #[must_use]
    pub fn drift(&self) -> u64 {
        let documents: usize = self.ledger.iter().map(|drift| drift.ordinals.len()).sum();
        let others = self.counters.len() + self.stranded.len();
        (documents + others) as u64 + u64::from(self.completion_missed)
    }
}

/// A bit for each document; ordinal 0 is the highest bit of the first byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(pub(super) Vec<u8>);

impl Bits {
    pub(super) fn set(&mut self, ordinal: u32) {
        let at = ordinal as usize / 8;
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 0x80 >> (ordinal % 8);
    }

    /// The documents that are set in all of `all` and in none of `none`.
    pub(super) fn ordinals(total: u32, all: &[&Self], none: &[&Self]) -> Vec<u32> {
        let byte = |bits: &Self, at: usize| bits.0.get(at).copied().unwrap_or(0);
        let mut found = Vec::new();
        for at in 0..(total as usize).div_ceil(8) {
            let all = all.iter().fold(0xff, |kept, bits| kept & byte(bits, at));
            let kept = none.iter().fold(all, |kept, bits| kept & !byte(bits, at));
            if kept == 0 {
                continue;
            }
            let first = u32::try_from(at * 8).unwrap_or(u32::MAX);
            let of_byte = (0..8).filter(|bit| kept & (0x80 >> bit) != 0).map(|bit| first + bit);
            found.extend(of_byte.filter(|ordinal| *ordinal < total));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(ordinals: &[u32]) -> Bits {
        let mut bits = Bits::default();
        ordinals.iter().for_each(|ordinal| bits.set(*ordinal));
        bits
    }

    #[test]
    fn documents_are_found_by_what_is_set_and_what_is_not() {
        let (many, few) = (bits(&[0, 7, 8, 20, 999]), bits(&[7, 21]));
        assert_eq!(Bits::ordinals(1_000, &[&many], &[&few]), [0, 8, 20, 999]);
        assert_eq!(Bits::ordinals(9, &[&many], &[]), [0, 7, 8]);
        assert_eq!(Bits::ordinals(1_000, &[&many, &few], &[]), [7]);
    }

    #[test]
    fn a_report_is_json_that_reads_well() {
        let drift = LedgerDrift {
            stage: "extract".into(),
            index: 0,
            kind: DriftKind::DoneWithoutRow,
            ordinals: vec![0, 1, 2, 9],
        };
        let json = serde_json::to_string(&drift).unwrap();
        let wanted =
            r#"{"stage":"extract","index":0,"kind":"done_without_row","ordinals":"0-2,9"}"#;
        assert_eq!(json, wanted);
    }
}

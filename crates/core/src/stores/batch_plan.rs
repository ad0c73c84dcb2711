//! Plans of batches, and the reasons why a batch rejects a request.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::batch_settlement::Outcome;
use crate::names::{MAX_NAME, is_name};
use crate::{Contract, DatabaseKind, Error, ErrorKind, MAX_TTL, Result};

/// The maximum number of stages in a plan.
pub const MAX_STAGES: usize = 16;
/// The maximum number of attempts that can be counted.
pub const MAX_ATTEMPTS: u8 = 15;
/// The longest name of a batch, in bytes.
pub const MAX_BATCH_NAME: usize = MAX_NAME;
/// The longest entry, in bytes. An entry names a document that is stored elsewhere.
pub const MAX_ENTRY: usize = 4_096;
/// The maximum number of documents submitted, claimed or settled in one request.
pub const MAX_AT_ONCE: usize = 1_000;

/// A stage of a batch, and the stages it depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchStage {
    /// The stage's name.
    pub name: String,
    /// The indexes of the stages that must be done with a document before this one; all are lower than its own.
    pub after: Vec<usize>,
}

/// The stages of a batch, and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchPlan {
    /// The stages, each after those it depends on.
    pub stages: Vec<BatchStage>,
    /// The number of attempts of a stage before a document is dead, 1 to [`MAX_ATTEMPTS`].
    pub max_attempts: u8,
    /// How many leases of a document may expire before it is dead, 1 to [`MAX_ATTEMPTS`]. Allow more of
    /// these than attempts: a killed worker loses what it works on, and it may be killed for any reason.
    #[serde(default = "max_counted")]
    pub max_lost: u8,
    /// The maximum total size of entries, in bytes; a larger submission is refused. Settlements are never refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Whether outcomes are kept in an outbox until they are written elsewhere ([`crate::BatchUpkeepStore::outbox`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outbox: bool,
    /// The maximum size of the events kept for followers, in bytes; 0 means no events.
    #[serde(default)]
    pub event_bytes: u64,
}

impl BatchPlan {
    /// A plan without stages, with three attempts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stages: Vec::new(),
            max_attempts: 3,
            max_lost: MAX_ATTEMPTS,
            max_bytes: None,
            outbox: false,
            event_bytes: 0,
        }
    }

    /// A plan of stages that run one after the other.
    #[must_use]
    pub fn chain(names: &[&str]) -> Self {
        names.iter().enumerate().fold(Self::new(), |plan, (at, name)| {
            let after: Vec<usize> = at.checked_sub(1).into_iter().collect();
            plan.stage(*name, &after)
        })
    }

    /// Adds a stage that depends on the stages with the indexes `after`.
    #[must_use]
    pub fn stage(mut self, name: impl Into<String>, after: &[usize]) -> Self {
        self.stages.push(BatchStage { name: name.into(), after: after.to_vec() });
        self
    }

    /// Sets the number of attempts of each stage.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u8) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets how many leases may expire before a document is dead.
    #[must_use]
    pub fn max_lost(mut self, leases: u8) -> Self {
        self.max_lost = leases;
        self
    }

    /// Sets the total size of entries, in bytes, from which further documents are refused.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Enables the outbox.
    #[must_use]
    pub fn outbox(mut self, outbox: bool) -> Self {
        self.outbox = outbox;
        self
    }

    /// Sets how many bytes of events are kept.
    #[must_use]
    pub fn event_bytes(mut self, bytes: u64) -> Self {
        self.event_bytes = bytes;
        self
    }

    /// Checks the plan.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::new(ErrorKind::InvalidArgument, "plan batch", what));
        if self.stages.is_empty() || self.stages.len() > MAX_STAGES {
            let found = self.stages.len();
            return wrong(format!(
                "a plan must have 1 to {MAX_STAGES} stages, but this one has {found}"
            ));
        }
        if self.max_attempts == 0 || self.max_attempts > MAX_ATTEMPTS {
            return wrong(format!("max_attempts must be 1 to {MAX_ATTEMPTS}"));
        }
        if self.max_lost == 0 || self.max_lost > MAX_ATTEMPTS {
            return wrong(format!("max_lost must be 1 to {MAX_ATTEMPTS}"));
        }
        if self.max_bytes == Some(0) {
            return wrong(
                "a limit of 0 bytes lets no document in: use at least 1, or no limit".into(),
            );
        }
        for (at, stage) in self.stages.iter().enumerate() {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
            let name = &stage.name;
            if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
                return wrong(format!(
                    "stage name {name:?}: a name is 1 to 64 of a-z, 0-9, _ and -"
                ));
            }
            if self.stages[..at].iter().any(|other| other.name == *name) {
                return wrong(format!("two stages are named {name:?}"));
            }
            if stage.after.iter().any(|before| *before >= at) {
                return wrong(format!(
                    "stage {name:?} depends on a stage that is not listed before it"
                ));
            }
        }
        Ok(())
    }

    /// The index of a stage in the plan.
    #[must_use]
    pub fn index_of(&self, stage: &str) -> Option<usize> {
        self.stages.iter().position(|known| known.name == stage)
    }
}

fn max_counted() -> u8 {
    MAX_ATTEMPTS
}

impl Default for BatchPlan {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a batch rejects a request, with one wording for all backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchRefusal {
    /// The batch does not exist.
    Missing,
    /// The claim belongs to an earlier batch of that name.
    Former,
    /// The batch accepts no more documents.
    Sealed,
    /// Its entries take as many bytes as the plan allows.
    Full,
    /// The request has too many documents, entries or events, or none.
    TooMany,
    /// An entry is too long.
    EntryTooLong,
    /// A retry is further in the future than [`MAX_TTL`].
    TooLate,
    /// The plan does not have this stage.
    NoStage,
    /// Its events have no group of this name.
    NoGroup,
    /// The id is not that of an event.
    NoEventId,
    /// The key of the batch holds another type.
    OtherType,
    /// The database is of a kind whose keys expire or are evicted.
    NotDurable,
}

impl BatchRefusal {
    /// The error for this reason.
    #[must_use]
    pub fn error(self, contract: &Contract, operation: &'static str, batch: &str) -> Error {
        let kind = match self {
            Self::Missing | Self::Former | Self::NoGroup => ErrorKind::Unknown,
            Self::Sealed | Self::NotDurable => ErrorKind::Contract,
            Self::Full => ErrorKind::OutOfMemory,
            Self::TooMany
            | Self::EntryTooLong
            | Self::TooLate
            | Self::NoStage
            | Self::NoEventId => ErrorKind::InvalidArgument,
            Self::OtherType => ErrorKind::WrongType,
        };
        contract.error(kind, operation, batch, self.to_string())
    }

    /// Rejects more documents than one request may have.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub fn unless_few(
        documents: usize,
        contract: &Contract,
        operation: &'static str,
        batch: &str,
    ) -> Result<()> {
        if documents <= MAX_AT_ONCE {
            return Ok(());
        }
        Err(Self::TooMany.error(contract, operation, batch))
    }

    /// Rejects a submission without documents, with too many, or with an entry that is too long.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub fn unless_submittable(
        entries: &[Bytes],
        contract: &Contract,
        operation: &'static str,
        batch: &str,
    ) -> Result<()> {
        let refusal = if entries.is_empty() || entries.len() > MAX_AT_ONCE {
            Self::TooMany
        } else if entries.iter().any(|entry| entry.len() > MAX_ENTRY) {
            Self::EntryTooLong
        } else {
            return Ok(());
        };
        Err(refusal.error(contract, operation, batch))
    }

    /// Rejects an invalid name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub fn unless_a_name(contract: &Contract, operation: &'static str, batch: &str) -> Result<()> {
        if is_name(batch) {
            return Ok(());
        }
        let what = format!(
            "the name of a batch must have 1 to {MAX_BATCH_NAME} bytes without control characters"
        );
        Err(contract.error(ErrorKind::InvalidArgument, operation, batch, what))
    }

    /// Rejects outcomes for more documents than one request may have, or with a retry later than [`MAX_TTL`] from
    /// now.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`].
    pub fn unless_settleable(
        outcomes: &[(u32, Outcome)],
        contract: &Contract,
        operation: &'static str,
        batch: &str,
    ) -> Result<()> {
        Self::unless_few(outcomes.len(), contract, operation, batch)?;
        let is_late =
            |outcome: &Outcome| matches!(outcome, Outcome::Retry { after, .. } if *after > MAX_TTL);
        if outcomes.iter().any(|(_, outcome)| is_late(outcome)) {
            return Err(Self::TooLate.error(contract, operation, batch));
        }
        Ok(())
    }

    /// Rejects batches in databases whose keys must expire.
    ///
    /// # Errors
    /// [`ErrorKind::Contract`].
    pub fn unless_durable(contract: &Contract, operation: &'static str, batch: &str) -> Result<()> {
        if contract.kind == DatabaseKind::Durable {
            return Ok(());
        }
        Err(Self::NotDurable.error(contract, operation, batch))
    }
}

impl fmt::Display for BatchRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such batch"),
            Self::Former => f.write_str(
                "the batch no longer exists: the claim belongs to an earlier batch of that name",
            ),
            Self::Sealed => {
                f.write_str("the batch accepts no more documents: it is sealed or ended")
            }
            Self::Full => f.write_str(
                "the batch is full: its entries take as many bytes as its plan allows; seal it and \
                 begin another",
            ),
            Self::TooMany => write!(f, "1 to {MAX_AT_ONCE} in one request"),
            Self::EntryTooLong => write!(f, "an entry is at most {MAX_ENTRY} bytes"),
            Self::TooLate => {
                f.write_str("a document can wait at most a hundred years for its next attempt")
            }
            Self::NoStage => f.write_str("the batch's plan has no such stage"),
            Self::NoGroup => f.write_str("its events have no such consumer group: join it first"),
            Self::NoEventId => f.write_str("that is not the id of an event: use one that was read"),
            Self::OtherType => f.write_str("the key holds a value of another type than a batch"),
            Self::NotDurable => {
                f.write_str("a batch needs a durable database, because keys of this one expire")
            }
        }
    }
}

//! How workers take documents: `[worker]`.

use std::time::Duration;

use serde::Deserialize;

use super::cache::{Bounds, times};
use super::fields::present;
use super::quantity::{Span, span};
use crate::MAX_ATTEMPTS;

/// The settings of workers. `None` means the worker's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerSettings {
    /// How often a stage of a document is attempted before the document is dead, 1 to [`MAX_ATTEMPTS`].
    pub max_attempts: Option<u8>,
    /// How long a worker may be silent before others take over its documents.
    pub lease: Option<Duration>,
}

/// For a worker's lease. It is renewed every third of it, so a shorter one would keep the server busy.
pub(super) const LEASE: Bounds<Duration> =
    times("lease", Duration::from_millis(100), Duration::from_secs(86_400));

/// Checks a number of attempts.
pub(super) fn check_attempts(attempts: u64) -> Result<u8, String> {
    let fits = u8::try_from(attempts).ok().filter(|n| (1..=MAX_ATTEMPTS).contains(n));
    fits.ok_or_else(|| {
        format!("max_attempts = {attempts} is not allowed: it must be between 1 and {MAX_ATTEMPTS}")
    })
}

/// `[worker]` of a file.
#[derive(Deserialize)]
#[serde(try_from = "WorkerFields")]
pub(super) struct WorkerSection(pub(super) WorkerSettings);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkerFields {
    max_attempts: Option<u64>,
    lease: Option<Span>,
}

impl TryFrom<WorkerFields> for WorkerSection {
    type Error = String;

    fn try_from(fields: WorkerFields) -> Result<Self, String> {
        let lease = fields.lease.map(|span| span.0);
        lease.map_or(Ok(()), |lease| LEASE.check(lease))?;
        let max_attempts = fields.max_attempts.map(check_attempts).transpose()?;
        Ok(Self(WorkerSettings { max_attempts, lease }))
    }
}

impl WorkerSettings {
    /// The fields that are set, as TOML.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        present([
            ("max_attempts", self.max_attempts.map(|n| n.to_string())),
            ("lease", self.lease.map(span)),
        ])
    }
}

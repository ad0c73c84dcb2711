//! The kinds of orphans, and the reason that makes a key of each kind one.

use std::fmt;

use serde::Serialize;

/// A kind of orphans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OrphanKind {
    /// Keys of a document that no batch, queue, project or ledger names.
    UnknownDocuments,
    /// Results of Celery that were stored without a TTL.
    ResultsWithoutTtl,
    /// Entries of a queue or registry of BullMQ, Bull or RQ whose job is gone, and data of such a job.
    EntriesWithoutJob,
    /// Jobs of BullMQ, Bull or RQ that no queue or registry names.
    JobsOutsideQueues,
    /// Queues for replies of Celery's remote control that nobody reads.
    UnreadReplies,
    /// Compartment's own records of workers that are gone, and locks whose lease has ended and that have no TTL.
    EndedLeases,
}

impl OrphanKind {
    /// Every kind, in the order in which they are reported.
    pub const ALL: [Self; 6] = [
        Self::UnknownDocuments,
        Self::ResultsWithoutTtl,
        Self::EntriesWithoutJob,
        Self::JobsOutsideQueues,
        Self::UnreadReplies,
        Self::EndedLeases,
    ];

    /// The kind's stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownDocuments => "unknown-documents",
            Self::ResultsWithoutTtl => "results-without-ttl",
            Self::EntriesWithoutJob => "entries-without-job",
            Self::JobsOutsideQueues => "jobs-outside-queues",
            Self::UnreadReplies => "unread-replies",
            Self::EndedLeases => "ended-leases",
        }
    }

    /// Why they are orphans.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::UnknownDocuments => {
                "no batch, queue, project or ledger row names the document of these keys"
            }
            Self::ResultsWithoutTtl => {
                "Celery gives its results a TTL (result_expires); these have none and stay for ever"
            }
            Self::EntriesWithoutJob => {
                "a queue or registry names a job whose hash is gone, or data of such a job is left"
            }
            Self::JobsOutsideQueues => {
                "no queue or registry names these jobs: no worker will take them"
            }
            Self::UnreadReplies => {
                "nobody has taken a reply for an hour: a reader that waits takes each at once"
            }
            Self::EndedLeases => {
                "the worker has not been seen for an hour, or the lock's lease has ended and it has no TTL"
            }
        }
    }
}

impl fmt::Display for OrphanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

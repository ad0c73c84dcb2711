//! Batches: documents with ordinals, the stages they go through, and exact progress.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;

use super::batch_plan::{BatchPlan, MAX_AT_ONCE};
use super::batch_settlement::Settlement;
use crate::{FencingToken, Result};

/// The state of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchStatus {
    /// Documents can be added.
    Open,
    /// No more documents can be added.
    Sealed,
    /// It is sealed, and every document is done or dead.
    Completed,
    /// It was cancelled: nothing of it is processed any more.
    Cancelled,
}

/// A worker's request for documents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// The index of the stage in the plan.
    pub stage: usize,
    /// The maximum number of documents, 1 to [`crate::MAX_AT_ONCE`].
    pub max_documents: usize,
    /// How long the claim lasts unless the worker renews it.
    pub lease: Duration,
}

impl ClaimRequest {
    /// Up to `max_documents` documents of a stage for `lease`.
    #[must_use]
    pub fn new(stage: usize, max_documents: usize, lease: Duration) -> Self {
        Self { stage, max_documents, lease }
    }
}

/// A claimed document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimedDocument {
    /// The document's number in the batch.
    pub ordinal: u32,
    /// The number of this attempt, from 1: one more than the failed attempts.
    pub attempt: u8,
    /// How many leases of the document expired before; these claims do not count as attempts.
    pub lost: u8,
    /// The entry as it was submitted.
    pub entry: Bytes,
}

/// Documents that belong to a worker until the lease expires.
#[must_use = "what is claimed and neither settled nor released is nobody's until its lease ends"]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchClaim {
    /// The claim's token, higher than that of any earlier claim of the batch.
    pub token: FencingToken,
    /// The documents.
    pub documents: Vec<ClaimedDocument>,
}

impl BatchClaim {
    /// A claim; for backends.
    pub fn new(token: FencingToken, documents: Vec<ClaimedDocument>) -> Self {
        Self { token, documents }
    }
}

impl ClaimedDocument {
    /// A claimed document; for backends.
    #[must_use]
    pub fn new(ordinal: u32, attempt: u8, lost: u8, entry: Bytes) -> Self {
        Self { ordinal, attempt, lost, entry }
    }
}

/// The result of settling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// The number of outcomes that counted. The others were known already or did not belong to the claim.
    pub counted: u64,
    /// Whether this request completed the batch.
    pub is_completed: bool,
}

/// One stage's progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageProgress {
    /// Documents that are done in the stage.
    pub done: u64,
    /// Documents that died in the stage.
    pub dead: u64,
    /// Documents in progress.
    pub claimed: u64,
    /// Documents that could be claimed now.
    pub ready: u64,
    /// Documents that wait for another attempt.
    pub delayed: u64,
}

/// The progress of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchProgress {
    /// The token the batch was born with, which no other batch has: see [`BatchStore::born_as`].
    pub born: FencingToken,
    /// The batch's state.
    pub status: BatchStatus,
    /// How long ago the batch was completed, its completion finished, or it was cancelled, by the clock of its
    /// leases. `None` while it has not ended. A batch that an earlier version of this library ended has `None` until
    /// its next change.
    pub ended: Option<Duration>,
    /// Whether claims return nothing at the moment.
    pub is_paused: bool,
    /// Whether its completion is due, or claimed and not finished.
    pub is_completing: bool,
    /// Documents submitted.
    pub total: u64,
    /// Documents that are done in every stage.
    pub done: u64,
    /// Documents that are dead.
    pub dead: u64,
    /// The total size of their entries, in bytes.
    pub bytes: u64,
    /// The progress of each stage, in the plan's order.
    pub stages: Vec<StageProgress>,
}

impl BatchProgress {
    /// An empty batch with this status.
    #[must_use]
    pub fn new(status: BatchStatus) -> Self {
        Self {
            born: FencingToken::from_number(0),
            status,
            ended: None,
            is_paused: false,
            is_completing: false,
            total: 0,
            done: 0,
            dead: 0,
            bytes: 0,
            stages: Vec::new(),
        }
    }

    /// Whether every submitted document is done or dead.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.done + self.dead == self.total
    }
}

/// A document that is dead or waits after a failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct BatchFailure {
    /// The index of the stage in the plan.
    pub stage: usize,
    /// The document's number.
    pub ordinal: u32,
    /// The last error message.
    pub error: String,
}

impl BatchFailure {
    /// A failure; for backends.
    #[must_use]
    pub fn new(stage: usize, ordinal: u32, error: String) -> Self {
        Self { stage, ordinal, error }
    }
}

/// The failures of a batch, in no particular order.
pub type FailureStream = BoxStream<'static, Result<BatchFailure>>;

/// Batches of one database.
///
/// A document is an ordinal, counted from 0 in the order of submission, and an entry of a few bytes that names it. A
/// stage is its index in the [`BatchPlan`].
///
/// # Contract
/// - `ordinals_count_up`: documents are numbered in the order of submission, without a gap.
/// - `a_stage_is_claimed_after_those_before_it`: a document can be claimed for a stage once all stages that this one
///   depends on are done with it, and by one claim at a time.
/// - `progress_moves_only_with_a_fact`: a document that is settled twice, by any workers, counts once.
/// - `a_dead_document_goes_no_further`, and counts once, however many of its stages fail.
/// - `a_batch_completes_once_sealed_and_settled`, and the request that completes it reports so. From then on its
///   completion can be claimed, until it is finished.
/// - `an_empty_batch_completes_when_it_is_sealed`.
/// - `nothing_is_added_to_a_sealed_batch`: an attempt is a contract error and changes nothing.
/// - `a_full_batch_refuses_documents_and_settles_on`: a submission that exceeds the plan's bytes fails as out of
///   memory and adds nothing.
/// - `a_paused_batch_hands_out_nothing`, and still accepts outcomes; a cancelled one does so permanently.
/// - `what_is_dead_can_be_retried`: it counts as open again, and a completed batch completes again.
/// - `a_batch_that_is_not_there_is_unknown`, and `batch_operations_on_another_type_are_wrong_type`.
/// - `what_no_batch_can_be_is_refused`: invalid names, plans and arguments are rejected when they are used.
/// - `a_batch_tells_since_when_it_is_over`, and no longer does so while documents are retried.
///
/// # Identity
/// A name can be used again once its batch has been removed. Therefore a batch is born with a token that is higher
/// than all earlier tokens of its name.
/// - `a_batch_made_anew_is_another`: a claim of the earlier batch gets the error that the batch is unknown, counts
///   nothing, and cannot be renewed.
/// - `whoever_saw_a_batch_born_changes_no_other`: [`BatchStore::born_as`] returns this store restricted to one batch.
///   Once that batch is gone, its name is unknown there, even if a new batch has the name.
///
/// # Cancellation
/// Any future of this store may be dropped, and any request may end with an error that leaves open whether it was
/// executed ([`crate::ErrorKind::Timeout`], [`crate::ErrorKind::Interrupted`]).
/// - `a_dropped_claim_holds_nothing`: neither documents nor the completion, beyond one round trip after the server
///   answers again. Its items are handed back, and the attempt does not count.
/// - `documents_are_added_where_they_belong_or_not_at_all`: [`BatchStore::submit_at`] may be repeated any number of
///   times, and be executed late; it adds once. After a dropped [`BatchStore::submit`] only the batch knows how many
///   documents it has.
/// - Any other request may be repeated without harm; only its count may then be lower.
///
/// # Leases
/// - `what_is_not_settled_in_its_lease_is_claimed_again`, by any worker that claims. An expired lease is not a failed
///   attempt and is counted separately.
/// - `a_document_whose_lease_expired_is_claimed_alone`: it may have ended its worker, and then only it dies of that,
///   and not the documents that were claimed with it.
/// - `a_claim_is_handed_back_by_its_token`, as if it had never been made.
/// - `a_renewed_lease_keeps_its_documents`; an expired lease cannot be renewed.
/// - `a_renewed_completion_stays_with_its_worker`.
/// - `a_late_success_counts_and_a_late_failure_does_not`: a worker that lost a claim may have finished the work, but
///   only the new owner reports failures.
/// - `what_fails_too_often_is_dead`, because its workers report failures ([`BatchPlan::max_attempts`]) or because
///   their leases expire ([`BatchPlan::max_lost`]). The two are counted separately.
/// - `what_is_handed_back_is_claimed_again` at once, and that attempt does not count.
/// - `a_retry_waits_for_its_time`.
///
/// # Atomicity
/// - `a_document_has_one_owner` at a time among any number of workers.
/// - `the_last_two_to_settle_complete_once`.
///
/// # Example
/// Most programs use a worker of `compartment-pipeline`. Without one:
/// ```
/// use std::time::Duration;
///
/// use compartment_core::{BatchPlan, ClaimRequest, Database, Outcome, Result, Settlement};
///
/// async fn by_hand(database: &Database) -> Result<()> {
///     let store = database.batch();
///     store.create("papers", &BatchPlan::new().stage("read", &[])).await?;
///     store.submit("papers", vec!["a.pdf".into(), "b.pdf".into()]).await?;
///     store.seal("papers").await?;
///     let request = ClaimRequest::new(0, 100, Duration::from_secs(30));
///     while let Some(claim) = store.claim("papers", request.clone()).await? {
///         let done = claim.documents.iter().map(|document| (document.ordinal, Outcome::Done));
///         store.settle("papers", Settlement::new(0, claim.token, done.collect())).await?;
///     }
///     Ok(())
/// }
/// ```
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait BatchStore: fmt::Debug + Send + Sync + 'static {
    /// This store restricted to the batch born with `token` ([`BatchProgress::born`]): any other batch of its name
    /// does not exist for it.
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchStore>;

    /// Creates an open batch; `false` if the name exists.
    async fn create(&self, batch: &str, plan: &BatchPlan) -> Result<bool>;

    /// Adds documents, at most [`crate::MAX_AT_ONCE`]; returns the ordinal of the first.
    async fn submit(&self, batch: &str, entries: Vec<Bytes>) -> Result<u32>;

    /// Adds documents, the first with the ordinal `first`; returns `false` and adds nothing if the batch does not
    /// have exactly `first` documents.
    async fn submit_at(&self, batch: &str, first: u32, entries: Vec<Bytes>) -> Result<bool>;

    /// Seals the batch: no more documents can be added. Returns the batch's status.
    async fn seal(&self, batch: &str) -> Result<BatchStatus>;

    /// Claims documents that are ready for a stage, perhaps fewer than there are; `None` if there are none. A claim
    /// also reclaims expired leases, a few at a time.
    async fn claim(&self, batch: &str, request: ClaimRequest) -> Result<Option<BatchClaim>>;

    /// Extends a claim, of documents or of the completion, to `lease` from now; `false` if the token no longer holds
    /// it.
    async fn renew(&self, batch: &str, token: FencingToken, lease: Duration) -> Result<bool>;

    /// Hands back everything that a claim holds, documents or the completion, as if it had not been made; `false` if
    /// it holds nothing any more or its lease has expired.
    async fn release(&self, batch: &str, token: FencingToken) -> Result<bool>;

    /// Reports the outcomes of documents, at most [`crate::MAX_AT_ONCE`]. Other documents stay claimed.
    async fn settle(&self, batch: &str, settlement: Settlement) -> Result<Settled>;

    /// Pauses the batch (`true`) so that claims return nothing, or resumes it.
    async fn pause(&self, batch: &str, paused: bool) -> Result<()>;

    /// Cancels a batch; returns its status. A completed batch stays completed.
    async fn cancel(&self, batch: &str) -> Result<BatchStatus>;

    /// Retries dead documents, each named by stage and ordinal, at most [`crate::MAX_AT_ONCE`]; returns how many were
    /// dead.
    async fn retry(&self, batch: &str, dead: Vec<(usize, u32)>) -> Result<u64>;

    /// Claims the completion of a batch for `lease`; `None` if it is not due or is claimed.
    async fn claim_completion(&self, batch: &str, lease: Duration) -> Result<Option<FencingToken>>;

    /// Finishes the completion; `false` if the token no longer holds it.
    async fn finish_completion(&self, batch: &str, token: FencingToken) -> Result<bool>;

    /// The progress of a batch; `None` if it does not exist.
    async fn progress(&self, batch: &str) -> Result<Option<BatchProgress>>;

    /// The plan of a batch.
    async fn plan(&self, batch: &str) -> Result<BatchPlan>;

    /// The last error of every document that is dead or waits after a failure.
    fn failures(&self, batch: &str) -> FailureStream;

    /// Removes a batch with all its data; `false` if it does not exist.
    async fn remove(&self, batch: &str) -> Result<bool>;
}

/// Shorthand methods for any [`BatchStore`].
#[async_trait]
pub trait BatchStoreExt: BatchStore {
    /// Retries dead documents: all of them, or those of one stage, or those whose error begins with `error`. Returns
    /// how many. Documents that die meanwhile may stay dead.
    ///
    /// # Errors
    /// As [`BatchStore::failures`] and [`BatchStore::retry`]; some may have been retried.
    async fn retry_failed(
        &self,
        batch: &str,
        stage: Option<usize>,
        error: Option<&str>,
    ) -> Result<u64> {
        let mut pages = self.failures(batch).try_chunks(MAX_AT_ONCE);
        let mut retried = 0;
        while let Some(page) = pages.try_next().await.map_err(|stopped| stopped.1)? {
            let is_wanted = |failure: &BatchFailure| {
                stage.is_none_or(|stage| failure.stage == stage)
                    && error.is_none_or(|error| failure.error.starts_with(error))
            };
            let wanted = page.into_iter().filter(is_wanted);
            // The store ignores those that only wait for another attempt.
            let wanted: Vec<_> = wanted.map(|failure| (failure.stage, failure.ordinal)).collect();
            if !wanted.is_empty() {
                retried += self.retry(batch, wanted).await?;
            }
        }
        Ok(retried)
    }
}

impl<S: BatchStore + ?Sized> BatchStoreExt for S {}

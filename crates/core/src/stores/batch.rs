//! Batches: documents with ordinals, the stages they go through, and progress that is exact.

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

/// Where a batch is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchStatus {
    /// Documents can be added.
    Open,
    /// None can any more.
    Sealed,
    /// It is sealed, and every document is done or dead.
    Completed,
    /// Nothing of it is worked on any more.
    Cancelled,
}

/// A worker's request for documents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimRequest {
    /// The place of the stage in the plan.
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

/// A document to work on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimedDocument {
    /// Its number in the batch.
    pub ordinal: u32,
    /// Which attempt this is, from 1: one more than those that failed.
    pub attempt: u8,
    /// How many leases of it expired before; these claims do not count as attempts.
    pub lost: u8,
    /// The entry as it was submitted.
    pub entry: Bytes,
}

/// Documents that are a worker's until the lease ends.
#[must_use = "what is claimed and neither settled nor released is nobody's until its lease ends"]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchClaim {
    /// The claim's own number, higher than that of any claim of the batch before.
    pub token: FencingToken,
    /// The documents.
    pub documents: Vec<ClaimedDocument>,
}

impl BatchClaim {
    /// A claim as a backend made it.
    pub fn new(token: FencingToken, documents: Vec<ClaimedDocument>) -> Self {
        Self { token, documents }
    }
}

impl ClaimedDocument {
    /// A document as a backend hands it out.
    #[must_use]
    pub fn new(ordinal: u32, attempt: u8, lost: u8, entry: Bytes) -> Self {
        Self { ordinal, attempt, lost, entry }
    }
}

/// The result of settling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// The number of outcomes that counted. Others were known already or did not belong to the claim.
    pub counted: u64,
    /// Whether the batch was completed by this very request.
    pub is_completed: bool,
}

/// One stage's progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageProgress {
    /// Documents it is done with.
    pub done: u64,
    /// Documents that are dead of it.
    pub dead: u64,
    /// Documents under way.
    pub claimed: u64,
    /// Documents that could be claimed now.
    pub ready: u64,
    /// Documents that wait for another attempt.
    pub delayed: u64,
}

/// How far a batch is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchProgress {
    /// The token it was born with, which no other batch has: see [`BatchStore::born_as`].
    pub born: FencingToken,
    /// Where it is in its life.
    pub status: BatchStatus,
    /// How long ago it was completed, its completion finished, or it was cancelled, by the clock of its
    /// leases. `None` while it is not over. A batch that an earlier version of this library ended has
    /// `None` until its next change.
    pub ended: Option<Duration>,
    /// Whether nothing is handed out at the moment.
    pub is_paused: bool,
    /// Whether its completion is due, or claimed and not finished.
    pub is_completing: bool,
    /// Documents submitted.
    pub total: u64,
    /// Documents that every stage is done with.
    pub done: u64,
    /// Documents that are dead.
    pub dead: u64,
    /// Bytes of their entries.
    pub bytes: u64,
    /// Each stage, in the plan's order.
    pub stages: Vec<StageProgress>,
}

impl BatchProgress {
    /// A batch of this status, with nothing in it.
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

    /// Whether every document that was submitted is done or dead.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.done + self.dead == self.total
    }
}

/// A document that is dead, or waits after a failure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct BatchFailure {
    /// The place of the stage in the plan.
    pub stage: usize,
    /// The document's number.
    pub ordinal: u32,
    /// The last error, in words.
    pub error: String,
}

impl BatchFailure {
    /// A failure as a backend keeps it.
    #[must_use]
    pub fn new(stage: usize, ordinal: u32, error: String) -> Self {
        Self { stage, ordinal, error }
    }
}

/// The failures of a batch, in no order.
pub type FailureStream = BoxStream<'static, Result<BatchFailure>>;

/// Batches of one database.
///
/// A document is an ordinal, counted from 0 in the order of submission, and an entry of a few bytes
/// that names it. A stage is the place in the [`BatchPlan`].
///
/// # Contract
/// - `ordinals_count_up`: documents are numbered in the order of submission, without a gap.
/// - `a_stage_is_claimed_after_those_before_it`: a document is handed out for a stage once every
///   stage before it is done with the document, and once at a time.
/// - `progress_moves_only_with_a_fact`: a document that is settled twice, by whomever, counts once.
/// - `a_dead_document_goes_no_further`, and counts once however many of its stages fail.
/// - `a_batch_completes_once_sealed_and_settled`, and is told so by the request that did it; its
///   completion can be claimed from then on, and until it is finished.
/// - `an_empty_batch_completes_when_it_is_sealed`.
/// - `nothing_is_added_to_a_sealed_batch`: that is a contract error, and changes nothing.
/// - `a_full_batch_refuses_documents_and_settles_on`: beyond the plan's bytes a submission is out of
///   memory, and adds nothing.
/// - `a_paused_batch_hands_out_nothing`, and takes what is settled; so does a cancelled one, for good.
/// - `what_is_dead_can_be_retried`: it counts as open again, and a completed batch completes anew.
/// - `a_batch_that_is_not_there_is_unknown`, and `batch_operations_on_another_type_are_wrong_type`.
/// - `what_no_batch_can_be_is_refused` when it is made: a name, a plan, and what a request asks for.
/// - `a_batch_tells_since_when_it_is_over`, and one that is tried again is not.
///
/// # Identity
/// A name can be used again once its batch has been removed. A batch is therefore born with a token,
/// above all tokens that were given under its name before.
/// - `a_batch_made_anew_is_another`: a claim of the former one is told that the batch is unknown, counts
///   nothing, and cannot be renewed.
/// - `whoever_saw_a_batch_born_changes_no_other`: [`BatchStore::born_as`] is the same store for that one
///   batch; once it is gone, its name is unknown there, whatever has been made under it.
///
/// # Cancellation
/// Any future of this store may be dropped, and any request may end with an error that does not tell
/// whether it was executed ([`crate::ErrorKind::Timeout`], [`crate::ErrorKind::Interrupted`]).
/// - `a_dropped_claim_holds_nothing`, of documents or of the completion, beyond one round trip once the
///   server answers again. What it was handed is handed back, and that attempt does not count.
/// - `documents_are_added_where_they_belong_or_not_at_all`: [`BatchStore::submit_at`] may be told as often
///   as it takes, and late; it adds once. After a dropped [`BatchStore::submit`] only the batch knows
///   how many documents it has.
/// - Everything else says the same when it is told twice, and only counts lower.
///
/// # Leases
/// - `what_is_not_settled_in_its_lease_is_claimed_again`, by anybody who claims. That is no failed
///   attempt, and is counted by itself.
/// - `a_claim_is_handed_back_by_its_token`, as if it had never been.
/// - `a_renewed_lease_keeps_its_documents`; one that has ended cannot be renewed.
/// - `a_renewed_completion_stays_with_its_worker`.
/// - `a_late_success_counts_and_a_late_failure_does_not`: whoever lost a claim may have done the work;
///   what went wrong with it is the new owner's to tell.
/// - `what_fails_too_often_is_dead`, by its owner's word ([`BatchPlan::max_attempts`]) or because its
///   workers vanish ([`BatchPlan::max_lost`]); neither counts for the other.
/// - `what_is_handed_back_is_claimed_again` at once, and that attempt does not count.
/// - `a_retry_waits_for_its_time`.
///
/// # Atomicity
/// - `a_document_has_one_owner` at a time among any number of workers.
/// - `the_last_two_to_settle_complete_once`.
///
/// # Example
/// Most programs take documents through stages with a worker of `compartment-pipeline`. By hand:
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
    /// This store for the one batch that was born with `token` ([`BatchProgress::born`]): to anything
    /// else of its name it is as if there were none.
    fn born_as(&self, token: FencingToken) -> Arc<dyn BatchStore>;

    /// Makes an open batch; `false` if there is one of that name.
    async fn create(&self, batch: &str, plan: &BatchPlan) -> Result<bool>;

    /// Adds documents, at most [`crate::MAX_AT_ONCE`]; the first one's ordinal.
    async fn submit(&self, batch: &str, entries: Vec<Bytes>) -> Result<u32>;

    /// Adds documents, the first of which becomes number `first`; `false`, and nothing is added, if the
    /// batch has more or fewer than that many.
    async fn submit_at(&self, batch: &str, first: u32, entries: Vec<Bytes>) -> Result<bool>;

    /// Lets nothing be added any more; where the batch is afterwards.
    async fn seal(&self, batch: &str) -> Result<BatchStatus>;

    /// Takes documents that are ready for a stage, perhaps fewer than there are; `None` where there are
    /// none. Leases that have ended are taken up on the way, a few at a time.
    async fn claim(&self, batch: &str, request: ClaimRequest) -> Result<Option<BatchClaim>>;

    /// Makes a claim, of documents or of the completion, last for `lease` from now; `false` if it is no
    /// longer the token's.
    async fn renew(&self, batch: &str, token: FencingToken, lease: Duration) -> Result<bool>;

    /// Hands back all that a claim holds, documents or the completion, as if it had not been made;
    /// `false` if it holds nothing any more, or its lease has ended.
    async fn release(&self, batch: &str, token: FencingToken) -> Result<bool>;

    /// Says how a stage left documents, at most [`crate::MAX_AT_ONCE`]. What is not settled stays claimed.
    async fn settle(&self, batch: &str, settlement: Settlement) -> Result<Settled>;

    /// Hands out nothing (`true`), or goes on.
    async fn pause(&self, batch: &str, paused: bool) -> Result<()>;

    /// Ends a batch as it is; where it is afterwards. One that is completed stays so.
    async fn cancel(&self, batch: &str) -> Result<BatchStatus>;

    /// Tries dead documents again, each named by stage and ordinal, at most [`crate::MAX_AT_ONCE`]; how many
    /// were dead.
    async fn retry(&self, batch: &str, dead: Vec<(usize, u32)>) -> Result<u64>;

    /// Takes the completion of a batch for `lease`; `None` where there is none to take.
    async fn claim_completion(&self, batch: &str, lease: Duration) -> Result<Option<FencingToken>>;

    /// Says that the completion is done with; `false` if it is no longer the token's.
    async fn finish_completion(&self, batch: &str, token: FencingToken) -> Result<bool>;

    /// How far it is; `None` where there is no such batch.
    async fn progress(&self, batch: &str) -> Result<Option<BatchProgress>>;

    /// What the documents of a batch go through.
    async fn plan(&self, batch: &str) -> Result<BatchPlan>;

    /// The last error of every document that is dead or waits after a failure.
    fn failures(&self, batch: &str) -> FailureStream;

    /// Removes a batch and all there is of it; whether there was one.
    async fn remove(&self, batch: &str) -> Result<bool>;
}

/// Short forms over any [`BatchStore`].
#[async_trait]
pub trait BatchStoreExt: BatchStore {
    /// Retries what is dead: all of it, or what is dead of one stage, or with an error that begins with
    /// `error`; how many. Those that die meanwhile may stay.
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
            // Of those that only wait for another attempt the store knows.
            let wanted: Vec<_> = wanted.map(|failure| (failure.stage, failure.ordinal)).collect();
            if !wanted.is_empty() {
                retried += self.retry(batch, wanted).await?;
            }
        }
        Ok(retried)
    }
}

impl<S: BatchStore + ?Sized> BatchStoreExt for S {}

//! For authors of backends, and of wrappers around open databases.
//!
//! A backend implements [`Backend`] and the store traits; a program that only uses databases needs
//! nothing of this module. Besides the traits it holds the rules that every backend keeps alike: the
//! checks before a write, the texts that are stored, the counters of a database.

mod capabilities;
mod stores;
mod unsupported;

use std::fmt;

use async_trait::async_trait;

use crate::{Contract, Database, Result};

pub use crate::contract::TtlRule;
pub use crate::glob::glob_matches;
pub use crate::key::HOUSEKEEPING_PREFIX;
pub use crate::merge::ReadMerger;
pub use crate::merge::places::ReadSource;
pub use crate::random::random;
pub use crate::stores::{
    BatchFacts, BatchRefusal, LEASES_ENDED_ERROR, TaskRecord, check_queue, ordinals_from_text,
    ordinals_to_text, shorten_task_error,
};
pub use crate::traffic::Traffic;
pub use crate::unfinished::{Unfinished, UnfinishedWork};
pub use capabilities::Capabilities;
pub use stores::{Stores, StoresBuilder};

/// Opens databases on one instance.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Opens the database of this contract.
    async fn open(&self, contract: Contract) -> Result<Database>;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Where it is, for people: no secrets.
    fn location(&self) -> String;
}

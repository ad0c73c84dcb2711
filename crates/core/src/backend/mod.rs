//! For authors of backends, and of wrappers around open databases.
//!
//! A backend implements [`Backend`] and the store traits; a program that only uses databases does not need this
//! module. It also has the rules that all backends share: the checks before a write, the stored texts, the counters
//! of a database.

mod capabilities;
mod signatures;
mod stores;
#[cfg(feature = "trace")]
mod traced;
mod unsupported;

use std::fmt;

use async_trait::async_trait;

use crate::{Contract, Database, Result};

pub use crate::contract::TtlRule;
pub use crate::glob::glob_matches;
pub use crate::key::HOUSEKEEPING_PREFIX;
pub use crate::merge::ReadMerger;
pub use crate::merge::places::ReadSource;
pub use crate::names::{MAX_NAME, is_name, shown_message, shown_name};
pub use crate::random::random;
pub use crate::stores::{
    BatchFacts, BatchRefusal, LEASES_ENDED_ERROR, TaskRecord, check_queue, ordinals_from_text,
    ordinals_to_text, shorten_task_error,
};
pub use crate::traffic::Traffic;
pub use crate::unfinished::{Unfinished, UnfinishedWork};
pub use capabilities::Capabilities;
pub use stores::{Stores, StoresBuilder};
#[cfg(feature = "trace")]
pub use traced::traced;

/// Opens databases on one instance.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Opens the database of this contract.
    async fn open(&self, contract: Contract) -> Result<Database>;

    /// The backend's capabilities.
    fn capabilities(&self) -> Capabilities;

    /// The backend's location, for people and without secrets.
    fn location(&self) -> String;
}

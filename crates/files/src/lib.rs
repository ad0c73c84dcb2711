//! Files that hold other people's data: backups, journals, results of documents, the ledger.
//!
//! A new file is readable for its owner only (mode 0600), a new folder too (0700); one that exists keeps its mode. No
//! file is opened through a link that somebody else may have planted, and none is gone on with that is not this user's.
//! On systems other than Unix there are no modes and owners, and only names that exist are refused.

mod lock;
mod open;
mod owner;
mod replace;

pub use lock::{Lock, LockedFile, lock};
pub use open::{continue_or_create, create_folders, create_new, open_own};
pub use replace::{remove_stale, replace};

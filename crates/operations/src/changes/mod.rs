//! Changes by plan: a dry run counts and returns an id; the id is acted on once, and only if nothing has moved.
//!
//! A plan is bound to the server by its run id, to the database and its place, and to a digest of everything that was
//! counted. It is valid for five minutes, once, for the session that made it. [`Changes::act`] counts again, and refuses
//! if anything moved. A change then touches only what was counted: keys by name, documents of a batch by its birth,
//! dead letters by id, settings by comparison.
//!
//! Three gaps remain. A key that is removed and created anew under its name between the second count and the removal of
//! a flush is removed (a cleanup checks its age again). Settings are compared and set by two requests. A restart
//! between the look at the server and the change is not seen.
//!
//! Every act is in the log of changes, a stream in the database `metrics` ([`crate::Operations::audit`]). An act that
//! cannot be logged is not made. One kind of change is: while the server of the log is full, a cleanup, a flush or new
//! limits of that very server, which may be what makes it writable again.

mod act;
mod actor;
mod audit;
mod backups;
mod batches;
mod change;
mod counted;
mod error;
mod kept;
mod keys;
mod letters;
mod limits;
mod moves;
mod placed;
mod plan;
mod planning;
mod shared;

pub use actor::Actor;
pub use audit::{AuditEntry, AuditOutcome};
pub use change::{Allowed, Change, Tier};
pub use error::ChangeError;
pub use plan::{ChangeDone, PlannedChange};
pub use shared::{ChangeOptions, Changes};

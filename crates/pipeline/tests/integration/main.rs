//! Tests of the crate from outside, in one program.

mod cancel_everything;
mod cancellation;
mod cluster;
mod external_parts;
mod failing_stores;
#[cfg(feature = "ledger")]
mod ledger;
#[cfg(feature = "ledger")]
mod ledger_audit;
#[cfg(feature = "ledger")]
mod ledger_documents;
#[cfg(feature = "ledger")]
mod ledger_fixtures;
#[cfg(feature = "ledger")]
mod ledger_identity;
#[cfg(feature = "ledger")]
mod ledger_mirror;
#[cfg(feature = "ledger")]
mod ledger_postgres;
#[cfg(feature = "ledger")]
mod ledger_rebuild;
#[cfg(feature = "ledger")]
mod ledger_tasks;
#[cfg(feature = "ledger")]
mod ledger_worker;
mod local_run;
mod pipelines;
mod stages;
mod suspects;
mod sweeper;
#[cfg(feature = "trace")]
mod traces;
mod worker;

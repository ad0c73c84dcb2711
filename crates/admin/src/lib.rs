//! Administration of Redis databases: analyze, plan, migrate, verify, back up, restore, flush,
//! examine.
//!
//! It works on raw names and whole values of any type, written by any program, and therefore does
//! not use the store traits.

mod analyze;
pub mod backup;
mod bless;
mod change_log;
mod chosen;
mod cleanup;
mod client_list;
mod clocks;
mod condition;
mod counted;
mod deployment;
pub mod doctor;
mod error;
mod eviction;
mod expiry;
mod explain;
mod field_lives;
mod fitness;
mod flush;
mod frameworks;
pub mod health;
mod info;
mod key_type;
mod lacking;
mod limit;
pub mod migrate;
mod modules;
mod name;
mod neighbours;
mod own_name;
mod pace;
mod patterns;
mod place;
pub mod places;
mod plan;
pub mod plans;
mod policy;
mod progress;
mod question;
pub mod rdb;
#[doc(hidden)]
pub mod replication;
mod resp;
pub mod restore;
mod rights;
mod setting;
mod shell_word;
mod size;
mod snapshot;
pub mod stats;
mod typed;
pub mod verify;
mod walk;
mod weight;

pub use analyze::{
    Analysis, AnalyzeOptions, BigKey, Bucket, ClientUse, KeyGroupReport, Measure, Memory,
    ServerState, Source, TtlCounts, analyze, analyze_dump, keyspace,
};
pub use change_log::{CHANGE_LOG, LogEntry, append_to_log, read_log};
pub use cleanup::{
    AgeBy, CleanupOptions, CleanupReport, ExpireOptions, ExpireReport, KnownDocuments,
    LedgerDocuments, OrphanGroup, OrphanKind, OrphanOptions, OrphanReport, cleanup, expire,
    orphans,
};
pub use counted::CountedNames;
pub use deployment::{DeployedInstance, DeployedServer, Deployment, NamedPlace};
pub use error::{AdminError, Result};
pub use explain::{KeyFacts, explain_key};
pub use fitness::{Fitness, Incoming, target_fitness};
pub use flush::{FlushOptions, FlushPreview, FlushReport, FlushWay, flush, preview_flush};
pub use frameworks::{Purpose, program_names, program_patterns};
pub use key_type::KeyType;
pub use limit::{LimitOptions, LimitReport, LimitedNode, MemorySettings, POLICIES, limit};
pub use name::{
    escape, glob_of_name, glob_text, printable, printable_in_json, read_glob, unescape,
};
pub use pace::{Limits, Pace};
pub use place::Place;
pub use plan::{
    Advice, CheckOptions, FrontDraft, Group, Plan, PlanPlaces, PlanSource, PlanTarget, Verdict,
    advice, check, front_for, propose,
};
pub use progress::{Progress, Silent};
pub use rights::may_run;
pub use shell_word::shell_word;
pub use size::size;
pub use walk::Walk;

/// The README's example compiles, and runs where it needs no server.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! Tests of the crate from outside, in one program.

mod addresses;
mod agents;
#[cfg(unix)]
mod alerts;
mod backup;
mod batches;
mod cache;
mod cleanup;
mod clocks;
mod commands;
mod deploy;
mod doctor;
mod export;
mod faults;
mod feed;
mod files;
mod fleet;
mod front;
mod front_routes;
mod house;
mod ingest;
mod journals;
mod keys;
mod ledger;
mod ledger_faults;
mod live;
mod migrate;
mod migrate_servers;
#[cfg(unix)]
mod monitor;
mod odd_keys;
mod orphans;
#[cfg(unix)]
mod outputs;
mod plans;
mod prefixes;
mod program;
mod queues_by_name;
mod races;
mod restricted_servers;
mod results;
mod rights;
mod rules;
mod secrets;
mod separate;
mod services;
mod stats;
mod targets;
#[cfg(feature = "otel")]
mod traces;
mod trust;
mod undo;
mod versions;

//! Tests of the crate from outside, in one program.

mod analyze;
mod backup;
mod correct;
mod data;
mod doctor;
mod flush;
mod hostile_files;
mod installations;
mod interrupted;
mod made;
mod migrate;
mod odd_files;
mod plan;
mod protected;
mod random_values;
mod rdb;
mod replication;
mod restore;
mod setting;
mod shared_files;
mod stats;
mod versions;

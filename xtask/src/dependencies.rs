//! What may enter the dependency tree: licences, bans and sources gate, advisories where their database can be had.

use crate::command::{self, Failure, cargo, find};

/// Checks the dependencies against `deny.toml`, and the lock file against the advisories.
pub(crate) fn check() -> Result<(), Failure> {
    if find("cargo-deny").is_none() {
        eprintln!(
            "note: cargo-deny is not installed, so licences and advisories were left out; install \
             it with `cargo install --locked cargo-deny`"
        );
        return Ok(());
    }
    command::run(&mut deny(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    advisories()
}

fn advisories() -> Result<(), Failure> {
    // The database is a Git repository elsewhere, which not every machine reaches.
    if let Err(Failure(reason)) = command::run(&mut deny(&["fetch", "db"])) {
        eprintln!("note: advisories were left out, since their database cannot be had: {reason}");
        return Ok(());
    }
    command::run(&mut deny(&["check", "advisories"]))?;
    if find("cargo-audit").is_none() {
        return Ok(());
    }
    command::run(&mut cargo(["audit"]))
}

fn deny(arguments: &[&str]) -> std::process::Command {
    cargo([&["deny", "--all-features", "--locked"], arguments].concat())
}

//! `check`: every check that runs no test. All of them run; failures are listed at the end.

use std::process::Command;

use crate::command::{self, Failure, cargo};
use crate::{dependencies, tidy};

/// A check and its name.
pub(crate) type Check = (&'static str, fn() -> Result<(), Failure>);

const CHECKS: [Check; 5] = [
    ("format", || command::run(&mut cargo(["fmt", "--all", "--check"]))),
    ("clippy", || command::run(&mut cargo(CLIPPY))),
    ("documentation", || command::run(&mut documentation())),
    ("dependencies", dependencies::check),
    ("tidy", tidy::run),
];

const CLIPPY: [&str; 7] =
    ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];

/// Runs every check, so that one run shows all problems.
pub(crate) fn run_all(checks: &[Check]) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for (name, check) in checks {
        if let Err(Failure(message)) = check() {
            eprintln!("error: {message}\n");
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("{} checks passed", checks.len());
        return Ok(());
    }
    Err(Failure(format!(
        "{} of {} checks failed: {}",
        failed.len(),
        checks.len(),
        failed.join(", ")
    )))
}

pub(crate) fn run() -> Result<(), Failure> {
    run_all(&CHECKS)
}

fn documentation() -> Command {
    let mut command = cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_does_not_hide_another() {
        let checks: [Check; 3] = [
            ("first", || Err(Failure::new("no"))),
            ("second", || Ok(())),
            ("third", || Err(Failure::new("no"))),
        ];
        assert_eq!(run_all(&checks).unwrap_err().0, "2 of 3 checks failed: first, third");
        assert!(run_all(&checks[1..2]).is_ok());
    }
}

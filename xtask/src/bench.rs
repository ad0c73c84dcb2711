//! `bench` and `score`: hand over to the benchmark crate, built for release.

use std::ffi::OsString;

use clap::Args;

use crate::command::{Failure, cargo, run};

/// What to measure.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct BenchArgs {
    /// backends, isolation or all, with --quick and --json FILE; cache, with --only SECTION too;
    /// documents, with --corpus PATH; migrate; or micro, with criterion's own arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// What to score.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct ScoreArgs {
    /// --corpus PATH, and --json.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

const PACKAGE: &str = "compartment-bench";

pub(crate) fn bench(args: &BenchArgs) -> Result<(), Failure> {
    match args.arguments.split_first() {
        Some((first, criterion)) if first == "micro" => {
            run(cargo(["bench", "--package", PACKAGE, "--"]).args(criterion))
        }
        Some((first, rest)) if first == "documents" => hand_over("documents", rest),
        Some((first, rest)) if first == "migrate" => hand_over("migrate", rest),
        Some((first, rest)) if first == "cache" => hand_over("cache", rest),
        _ => hand_over("bench", &args.arguments),
    }
}

pub(crate) fn score(args: &ScoreArgs) -> Result<(), Failure> {
    hand_over("score", &args.arguments)
}

fn hand_over(verb: &str, arguments: &[OsString]) -> Result<(), Failure> {
    let mut command = cargo(["run", "--quiet", "--release", "--package", PACKAGE, "--", verb]);
    // Paths are those of whoever called.
    if let Ok(folder) = std::env::current_dir() {
        command.current_dir(folder);
    }
    run(command.args(arguments))
}

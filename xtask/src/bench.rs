//! `bench` and `score`: call the crates that measure speed and quality, built in release mode.

use std::ffi::OsString;

use clap::Args;

use crate::command::{Failure, cargo, run, target};

/// The measurement to run.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct BenchArgs {
    /// backends, isolation or all, with --quick and --json FILE; cache, with --only SECTION too; batches, with --only
    /// SECTION and --peers; documents, with --corpus PATH; migrate; walks, with --keys N and --only ROW; scale, with
    /// --only PART and sizes; stats, with --servers N and --keys N; front, with --rounds N and --requests N; guard, with
    /// --against REVISION, --rounds N and --most PERCENT; or micro, with criterion's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// The corpus to score.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct ScoreArgs {
    /// --corpus PATH; --holdout shows both halves of the gold; --only SOURCE, --verbose, --json.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

const BENCH: &str = "compartment-bench";
const SCORE: &str = "compartment-score";

pub(crate) fn bench(args: &BenchArgs) -> Result<(), Failure> {
    match args.arguments.split_first() {
        Some((first, criterion)) if first == "micro" => {
            run(cargo(["bench", "--package", BENCH, "--"]).args(criterion))
        }
        Some((first, rest)) if first == "documents" => hand_over("documents", rest),
        Some((first, rest)) if first == "migrate" => hand_over("migrate", rest),
        Some((first, rest)) if first == "stats" => hand_over("stats", rest),
        Some((first, rest)) if first == "scale" => hand_over("scale", rest),
        Some((first, rest)) if first == "walks" => hand_over("walks", rest),
        Some((first, rest)) if first == "front" => front(rest),
        Some((first, rest)) if first == "guard" => crate::guard::guard(rest),
        Some((first, rest)) if first == "cache" => hand_over("cache", rest),
        Some((first, rest)) if first == "batches" => batches(rest),
        _ => hand_over("bench", &args.arguments),
    }
}

pub(crate) fn score(args: &ScoreArgs) -> Result<(), Failure> {
    hand_over_to(SCORE, &[], &args.arguments)
}

/// With `--peers`, builds other programs' queues in, to measure them beside ours.
fn batches(arguments: &[OsString]) -> Result<(), Failure> {
    let (peers, rest): (Vec<_>, Vec<_>) =
        arguments.iter().cloned().partition(|argument| argument == "--peers");
    let features: &[&str] = if peers.is_empty() { &[] } else { &["--features", "peers"] };
    hand_over_with(features, "batches", &rest)
}

/// Builds the program whose front is measured, as it is released.
fn front(arguments: &[OsString]) -> Result<(), Failure> {
    run(&mut cargo(["build", "--quiet", "--release", "--package", "compartment-cli"]))?;
    let program = target().join("release/compartment");
    let mut all = vec![OsString::from("--program"), program.into()];
    all.extend_from_slice(arguments);
    hand_over("front", &all)
}

fn hand_over(verb: &str, arguments: &[OsString]) -> Result<(), Failure> {
    hand_over_with(&[], verb, arguments)
}

fn hand_over_with(features: &[&str], verb: &str, arguments: &[OsString]) -> Result<(), Failure> {
    let mut with_verb = vec![OsString::from(verb)];
    with_verb.extend_from_slice(arguments);
    hand_over_to(BENCH, features, &with_verb)
}

fn hand_over_to(package: &str, features: &[&str], arguments: &[OsString]) -> Result<(), Failure> {
    let mut command = cargo(["run", "--quiet", "--release", "--package", package]);
    command.args(features).arg("--");
    // Paths in the arguments are relative to the caller's folder.
    if let Ok(folder) = std::env::current_dir() {
        command.current_dir(folder);
    }
    run(command.args(arguments))
}

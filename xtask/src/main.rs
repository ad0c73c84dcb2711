//! The only task runner: demo, check, test, release-check, bench, score. CI calls the same verbs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod bench;
mod check;
mod command;
mod demo;
mod install;
mod manifest;
mod release_check;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use command::Failure;

/// Shows, checks, tests and measures the workspace. Exits with 1 when something fails, with 2 when the
/// arguments are wrong.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The first run: installs tesseract where it is missing, builds, and processes the samples.
    Demo(demo::DemoArgs),
    /// Format, clippy, documentation, dependencies, and the house rules.
    Check,
    /// The house rules alone: file openings and lengths, contracts and their tests, links.
    Tidy,
    /// Every test and every example, also those marked as ignored; installs redis-server where it is missing.
    Test(test::TestArgs),
    /// What has to hold before publishing: packages, features, public API, oldest Rust.
    ReleaseCheck(release_check::ReleaseCheckArgs),
    /// Our backends beside other clients, on servers of the benchmark's own.
    Bench(bench::BenchArgs),
    /// Score the document stages against gold annotations: --corpus PATH [--json].
    Score(bench::ScoreArgs),
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Check => check::run(),
        Verb::Tidy => tidy::run(),
        Verb::Test(args) => test::run(&args),
        Verb::ReleaseCheck(args) => release_check::run(&args),
        Verb::Bench(args) => bench::bench(&args),
        Verb::Score(args) => bench::score(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder, whatever folder the task runner is called in.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

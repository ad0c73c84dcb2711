//! The only task runner: demo, check, test, release-check, bench, score, servers, tables. CI uses these verbs too.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod bench;
mod check;
mod command;
mod demo;
mod dependencies;
mod guard;
mod install;
mod manifest;
mod packages;
mod release_check;
mod servers;
mod tables;
mod test;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use command::Failure;

/// Shows, checks, tests and measures the workspace. Exits with 1 if something fails, and with 2 if the arguments are
/// wrong.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Installs tesseract if it is missing, builds, and processes the samples.
    Demo(demo::DemoArgs),
    /// Checks format, clippy, documentation, dependencies, and the house rules.
    Check,
    /// Checks only the house rules: file openings and lengths, contracts and their tests, links.
    Tidy,
    /// Runs every test and example, including ignored tests; installs redis-server if it is missing.
    Test(test::TestArgs),
    /// Checks before publishing: packages, features, public API, oldest Rust.
    ReleaseCheck(release_check::ReleaseCheckArgs),
    /// Measures our backends beside other clients, on servers that the benchmark starts.
    Bench(bench::BenchArgs),
    /// Scores the document stages against gold annotations: --corpus PATH [--holdout] [--json].
    Score(bench::ScoreArgs),
    /// Fetches other versions of Redis and Valkey that tests can run on.
    Servers(servers::ServersArgs),
    /// Takes facts about courts and reporters from their data packages into the files that the stages read.
    Tables(tables::TablesArgs),
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
        Verb::Servers(args) => servers::run_servers(&args),
        Verb::Tables(args) => tables::run_tables(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder, regardless of the working folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

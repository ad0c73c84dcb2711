//! Side-by-side benchmarks and scoring; run through `cargo xtask bench` and `cargo xtask score`.

mod score;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "compartment-bench", about = "Benchmarks and scoring of Compartment")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Score the document stages against a folder of real documents with gold annotations.
    Score(score::ScoreArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Score(args) => score::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the error of a command-line tool")]
            {
                eprintln!("error: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

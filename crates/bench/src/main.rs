//! Side-by-side benchmarks; run through `cargo xtask bench`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod batches;
mod bench;
mod cache;
mod documents;
mod front;
mod measure;
mod migrate;
mod scale;
mod stats;
mod walks;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "compartment-bench", about = "Benchmarks of Compartment")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Our backends beside moka and other Redis clients; a cache beside a flood.
    Bench(bench::BenchArgs),
    /// Ingest a thousand documents, on memory and on Redis.
    Documents(documents::DocumentsArgs),
    /// Started by `documents` for each run.
    #[command(hide = true)]
    DocumentsOnce(documents::OnceArgs),
    /// Moving, copying, backing up and restoring a million keys, beside bare loops.
    Migrate(migrate::MigrateArgs),
    /// Started by `migrate` to measure peak memory.
    #[command(hide = true)]
    MigrateOnce(migrate::OnceArgs),
    /// A cache in front of Redis: hits beside bare clients, hit rates, latency under load, outages.
    Cache(cache::CacheArgs),
    /// Batches, queues and workers over Redis, beside bare loops and other queues.
    Batches(batches::BatchesArgs),
    /// Estimated bytes of databases beside exact sums, on seeded servers.
    Stats(stats::StatsArgs),
    /// Time and memory at ten times the size: documents, batches, workers, keys.
    Scale(scale::ScaleArgs),
    /// Started by `scale` to measure peak memory.
    #[command(hide = true)]
    ScaleOnce(scale::OnceArgs),
    /// Cleanup, analyze and verify of a million keys, beside a bare loop of SCAN.
    Walks(walks::WalksArgs),
    /// The front beside the server itself and beside twemproxy.
    Front(front::FrontArgs),
    /// Started by `batches` as a worker.
    #[command(hide = true)]
    BatchesWorker(batches::fleet::WorkerArgs),
    /// Started by `bench` on each processor to keep it awake.
    #[command(hide = true)]
    Spin,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Documents(args) => documents::run(&args),
        Command::DocumentsOnce(args) => documents::run_once(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::MigrateOnce(args) => migrate::run_once(&args),
        Command::Cache(args) => cache::run(&args),
        Command::Batches(args) => batches::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Scale(args) => scale::run(&args),
        Command::ScaleOnce(args) => scale::run_once(&args),
        Command::Walks(args) => walks::run(&args),
        Command::Front(args) => front::run(&args),
        Command::BatchesWorker(args) => batches::fleet::work(&args),
        Command::Spin => {
            measure::awake::spin();
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

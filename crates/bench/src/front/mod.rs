//! `front`: the front beside the server itself and beside twemproxy, by `redis-benchmark`.

mod contenders;

use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use serde::Serialize;

use crate::measure::Failure;
use crate::measure::host::Host;
use crate::measure::statistics::{median, short};
use crate::measure::table::{align, plain};
use contenders::Contenders;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct FrontArgs {
    /// The program `compartment`, built in release mode.
    #[arg(long, value_name = "PATH")]
    program: PathBuf,
    /// How often each contender is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Requests of each measurement; as many again for each that one client sends together.
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    /// Write every figure to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Clients, and how many requests each sends before it waits for replies.
#[derive(Clone, Copy, Debug, Serialize)]
struct Load {
    clients: u32,
    pipeline: u64,
}

const LOADS: [Load; 3] = [
    Load { clients: 50, pipeline: 1 },
    Load { clients: 50, pipeline: 16 },
    Load { clients: 500, pipeline: 1 },
];

/// The requests a second of one contender.
#[derive(Debug, Serialize)]
struct Figure {
    contender: &'static str,
    command: &'static str,
    load: Load,
    samples: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Report {
    host: Host,
    figures: Vec<Figure>,
}

const COMMANDS: [&str; 2] = ["GET", "SET"];

/// Measures and prints.
pub(crate) fn run(args: &FrontArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let contenders = Contenders::start(&args.program).await?;
        let host = Host::look(args.rounds < 5).await;
        println!("{host}\n");
        let mut figures = Vec::new();
        for load in LOADS {
            figures.extend(measure(&contenders, load, args)?);
        }
        table(&contenders, &figures);
        if let Some(path) = &args.json {
            std::fs::write(path, serde_json::to_string_pretty(&Report { host, figures })?)?;
        }
        Ok(())
    })
}

/// The contenders take turns, each first as often as last.
fn measure(contenders: &Contenders, load: Load, args: &FrontArgs) -> Result<Vec<Figure>, Failure> {
    let all = contenders.ports();
    let figures = all.iter().flat_map(|(contender, _)| {
        COMMANDS.map(|command| Figure { contender, command, load, samples: Vec::new() })
    });
    let mut figures: Vec<Figure> = figures.collect();
    let requests = args.requests * load.pipeline;
    for (_, port) in &all {
        benchmark(*port, load, requests / 10)?;
    }
    for round in 0..args.rounds {
        for turn in 0..all.len() {
            let (contender, port) = all[(round + turn) % all.len()];
            for (command, speed) in benchmark(port, load, requests)? {
                let figure = figures
                    .iter_mut()
                    .find(|figure| figure.contender == contender && figure.command == command);
                if let Some(figure) = figure {
                    figure.samples.push(speed);
                }
            }
        }
    }
    match figures.iter().find(|figure| figure.samples.len() != args.rounds) {
        None => Ok(figures),
        Some(figure) => Err(format!("redis-benchmark gave no figure: {figure:?}").into()),
    }
}

/// Requests a second by command.
fn benchmark(port: u16, load: Load, requests: u64) -> Result<Vec<(String, f64)>, Failure> {
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "-t", "get,set", "-d", "100", "-r", "100000", "--csv"]);
    command.args(["-p", &port.to_string(), "-c", &load.clients.to_string()]);
    command.args(["-n", &requests.to_string(), "-P", &load.pipeline.to_string()]);
    let output = command.output().map_err(|error| format!("redis-benchmark: {error}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("redis-benchmark on port {port}: {error}").into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let row = |line: &str| {
        let mut cells = line.split(',').map(|cell| cell.trim_matches('"'));
        Some((cells.next()?.to_owned(), cells.next()?.parse().ok()?))
    };
    Ok(text.lines().filter_map(row).collect())
}

fn table(contenders: &Contenders, figures: &[Figure]) {
    let names: Vec<&str> = contenders.ports().iter().map(|(name, _)| *name).collect();
    let mut table = plain(std::iter::once("requests a second").chain(names.iter().copied()));
    for load in LOADS {
        for command in COMMANDS {
            let middle = |name: &str| {
                let figure = figures.iter().find(|figure| {
                    figure.contender == name
                        && figure.command == command
                        && figure.load.clients == load.clients
                        && figure.load.pipeline == load.pipeline
                });
                figure.map_or(f64::NAN, |figure| median(figure.samples.clone()))
            };
            let direct = middle(contenders::DIRECT);
            let row = format!("{command}, {} clients, P{}", load.clients, load.pipeline);
            let cells = names
                .iter()
                .map(|name| format!("{} {:.2}×", short(middle(name)), middle(name) / direct));
            table.add_row(std::iter::once(row).chain(cells));
        }
    }
    align(&mut table);
    println!("{table}\n\n× is the ratio of the medians to the server itself.");
}

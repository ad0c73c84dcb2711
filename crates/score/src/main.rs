//! Scores the document stages against gold annotations: precision, recall and F1 per source and kind.
//!
//! Run it through `cargo xtask score`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod citations;
mod corpus;
mod courts;
mod documents;
mod halves;
mod pages;
mod resolution;
mod spans;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use corpus::Corpus;
use halves::{Half, Split};
use tally::Report;

/// Scores the document stages against a folder of real documents with gold annotations.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask score")]
struct Score {
    /// Folder with the documents and the gold, as its README describes.
    #[arg(long)]
    corpus: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Score only the sources whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// List missed items and false positives on stderr, for work on the rules. With --holdout, those of the half
    /// that may be seen.
    #[arg(long)]
    verbose: bool,
    /// Split the gold in two by the seed, and show the figures of both halves side by side.
    #[arg(long)]
    holdout: bool,
    /// The seed of the split.
    #[arg(long, default_value_t = 17, requires = "holdout")]
    seed: u64,
}

/// A scorer: name of the gold source, and the function that scores it.
type Scorer = (&'static str, fn(&Corpus, &mut Report) -> std::io::Result<()>);

const SCORERS: [Scorer; 10] = [
    ("inlegalner", spans::inlegalner),
    ("documents", documents::documents),
    ("eyecite-find", citations::eyecite_find),
    ("eyecite-resolve", resolution::eyecite_resolve),
    ("us-statute-citations", citations::us_statutes),
    ("reporter-examples", citations::reporter_examples),
    ("court-names", courts::court_names),
    ("citation-spans", citations::citation_spans),
    ("eyecite-reference", citations::eyecite_reference),
    ("ocr", pages::pages),
];

fn main() -> ExitCode {
    match run(&Score::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the scorers and prints the report.
fn run(args: &Score) -> std::io::Result<()> {
    let output = if args.holdout {
        let seen = report(args, Some(Split::new(args.seed, Half::Seen)), args.verbose)?;
        let held = report(args, Some(Split::new(args.seed, Half::Held)), false)?;
        if args.json {
            tally::json_of_halves(&seen, &held)?
        } else {
            tally::table_of_halves(&seen, &held)
        }
    } else {
        let whole = report(args, None, args.verbose)?;
        if args.json { whole.json()? } else { whole.table() }
    };
    println!("{output}");
    Ok(())
}

fn report(args: &Score, split: Option<Split>, verbose: bool) -> std::io::Result<Report> {
    let corpus = Corpus::open(&args.corpus, split)?;
    let mut report = Report::new(verbose);
    for (name, scorer) in SCORERS {
        if args.only.as_ref().is_none_or(|only| name.contains(only.as_str())) {
            scorer(&corpus, &mut report)?;
        }
    }
    Ok(report)
}

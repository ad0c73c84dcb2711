//! Scores the document stages against gold annotations: precision, recall and F1 per source and kind.

mod citations;
mod corpus;
mod courts;
mod documents;
mod pages;
mod resolution;
mod spans;
mod tally;

use std::path::PathBuf;

use clap::Args;

use corpus::Corpus;
use tally::Report;

/// Options of scoring.
#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Folder with the documents and the gold, as its README describes.
    #[arg(long)]
    corpus: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Score only the sources whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// List missed items and false positives, for work on the rules.
    #[arg(long)]
    verbose: bool,
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

/// Runs the scorers and prints the report.
pub(crate) fn run(args: &ScoreArgs) -> std::io::Result<()> {
    let corpus = Corpus::open(&args.corpus)?;
    let mut report = Report::new(args.verbose);
    for (name, scorer) in SCORERS {
        if args.only.as_ref().is_none_or(|only| name.contains(only.as_str())) {
            scorer(&corpus, &mut report)?;
        }
    }
    #[expect(clippy::print_stdout, reason = "the output of a command-line tool")]
    {
        println!("{}", if args.json { report.json()? } else { report.table() });
    }
    Ok(())
}

//! The arguments of `compartment resolve`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::results::KindArgument;

/// Decide that entities of the results are one or are not, and take it back.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct Resolve {
    #[command(subcommand)]
    pub(crate) command: ResolveCommand,
}

const HELP: &str = "The decisions are in the file decisions.txt of the folder, one a line. find, graph and explain \
follow them at once, and every later `ingest --out` into the folder too. The entities that a decision is not about keep \
their ids.

A name is given as `compartment explain` shows it, or by its id.

Exits with 10 if nothing has the name, or a decision changes nothing.

Examples:
  compartment resolve keep-apart 'M. Alder' 'Miriam T. Alder'
  compartment resolve keep-apart 'John Smith' --in order-3.pdf
  compartment resolve join 'Harborline Freight' 'HF Holdings' --dry-run
  compartment resolve list
  compartment resolve undo 2";

#[derive(Debug, Subcommand)]
pub(crate) enum ResolveCommand {
    /// Keep two names apart that are one entity in the results
    KeepApart(KeepApart),
    /// Join two entities
    Join(Join),
    /// Take a decision back
    Undo(Undo),
    /// List the decisions
    List(List),
}

/// The results that a decision is about.
#[derive(Args, Debug)]
pub(crate) struct Decided {
    /// The folder that `ingest --out` wrote
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,

    /// Show what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Keep two names apart.
#[derive(Args, Debug)]
pub(crate) struct KeepApart {
    /// The first name
    #[arg(value_name = "NAME")]
    pub(crate) one: String,

    /// The name that is not the first one's
    #[arg(value_name = "OTHER", required_unless_present = "document", conflicts_with = "document")]
    pub(crate) other: Option<String>,

    /// The document in which the name is somebody else's than in all others
    #[arg(long = "in", value_name = "DOCUMENT")]
    pub(crate) document: Option<String>,

    /// Only entities of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<KindArgument>,

    #[command(flatten)]
    pub(crate) decided: Decided,
}

/// Join two entities.
#[derive(Args, Debug)]
pub(crate) struct Join {
    /// The first entity
    #[arg(value_name = "NAME")]
    pub(crate) one: String,

    /// The entity that is the first one too
    #[arg(value_name = "OTHER")]
    pub(crate) other: String,

    /// Only entities of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<KindArgument>,

    #[command(flatten)]
    pub(crate) decided: Decided,
}

/// Take a decision back.
#[derive(Args, Debug)]
pub(crate) struct Undo {
    /// Its number, as `resolve list` shows it [default: the last]
    #[arg(value_name = "NUMBER")]
    pub(crate) number: Option<u32>,

    #[command(flatten)]
    pub(crate) decided: Decided,
}

/// List the decisions.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The folder that `ingest --out` wrote
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

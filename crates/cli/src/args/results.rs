//! The arguments of `compartment find`, `graph` and `explain`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use compartment_documents::model::EntityKind;

/// Find a name in the results of documents.
#[derive(Args, Debug)]
#[command(after_help = FIND_HELP)]
pub(crate) struct Find {
    /// The words of the name, in any order; a word may end in *
    #[arg(required = true, value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) within: ResultsArguments,

    /// Maximum number of places
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,

    /// Print one JSON object a line for each place
    #[arg(long)]
    pub(crate) json: bool,
}

const FIND_HELP: &str = "A place is shown with its document, its page and the words around it. It is found by the words \
that stand there, or by those of its entity's name: 'Miriam Alder' also finds a place that says only 'Judge Alder'.

Exits with 10 if nothing is found.

Examples:
  compartment find 'Smith'
  compartment find 'freight harbor*' --kind party --results out
  compartment find '477 U.S. 317' --json | jq -r .document | sort -u";

/// Show what an entity is related to.
#[derive(Args, Debug)]
#[command(after_help = GRAPH_HELP)]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) which: WhichEntity,

    /// How many relationships an entity may be away
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) depth: u8,

    /// Show entities that are only mentioned near each other too
    #[arg(long)]
    pub(crate) together: bool,

    /// Maximum number of relationships, the heaviest first
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,

    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: GraphFormat,
}

const GRAPH_HELP: &str =
    "Each relationship is shown with the first document and page that states it.

Examples:
  compartment graph 'Harborline Freight Incorporated'
  compartment graph 'Pruitt' --kind lawyer --depth 2
  compartment graph 'Roe v. Mills' --format dot | dot -Tsvg > roe.svg
  compartment graph 'Oyelaran' --format graphml > judge.graphml";

/// An entity of the results.
#[derive(Args, Debug)]
pub(crate) struct WhichEntity {
    /// The entity's name or id
    #[arg(required = true, value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) within: ResultsArguments,
}

/// The results that are looked into.
#[derive(Args, Debug)]
pub(crate) struct ResultsArguments {
    /// The folder that `ingest --out` wrote
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(crate) results: PathBuf,

    /// Only entities of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<KindArgument>,
}

/// Explain why names in documents mean one entity.
#[derive(Args, Debug)]
#[command(after_help = EXPLAIN_HELP)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) which: WhichEntity,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const EXPLAIN_HELP: &str =
    "Each form of the name is shown with the rule that joins it, how often it stands in the \
documents, and its first place.

Examples:
  compartment explain 'Harborline Freight Incorporated'
  compartment explain Oyelaran --kind judge --json";

/// A kind of entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArgument {
    /// Cited authorities.
    Citation,
    /// Courts.
    Court,
    /// Parties.
    Party,
    /// Judges.
    Judge,
    /// Lawyers.
    Lawyer,
    /// Docket numbers.
    Docket,
    /// Dates.
    Date,
    /// Sums of money.
    Money,
    /// Cases.
    Case,
}

impl From<KindArgument> for EntityKind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::Citation => Self::Citation,
            KindArgument::Court => Self::Court,
            KindArgument::Party => Self::Party,
            KindArgument::Judge => Self::Judge,
            KindArgument::Lawyer => Self::Lawyer,
            KindArgument::Docket => Self::DocketNumber,
            KindArgument::Date => Self::Date,
            KindArgument::Money => Self::Money,
            KindArgument::Case => Self::Case,
        }
    }
}

/// The format of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Sentences.
    Text,
    /// JSON Lines: entities, then relationships.
    Jsonl,
    /// GraphML.
    Graphml,
    /// Graphviz.
    Dot,
}

//! The arguments, with their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Gives each purpose of a Redis a database with a name and a contract, and runs batches of legal
/// documents over them.
#[derive(Debug, Parser)]
#[command(name = "compartment", version, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) general: General,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  compartment ingest samples                      on memory, no server needed
  compartment ingest papers --backend redis://127.0.0.1:6379 --out results
  compartment databases --backend redis://127.0.0.1:6379
  compartment config init                         writes compartment.toml
  compartment config export --format celery

Exit codes: 0 done, 2 wrong arguments, 3 some documents failed, 4 configuration,
5 server away, 6 refused, 7 wrong server, 8 store, 9 files, 130 interrupted.";

/// The heading of the flags of every command.
const GENERAL: &str = "General options";

/// Flags of every command.
#[derive(Args, Debug)]
pub(crate) struct General {
    /// Read the databases from this file [default: compartment.toml where there is one]
    #[arg(long, global = true, help_heading = GENERAL, value_name = "FILE", env = "COMPARTMENT_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Use this server, or memory://, instead of the configured one
    #[arg(
        long,
        global = true,
        help_heading = GENERAL,
        value_name = "URL",
        env = "COMPARTMENT_BACKEND",
        hide_env_values = true
    )]
    pub(crate) backend: Option<String>,

    /// When to use colours
    #[arg(long, global = true, help_heading = GENERAL, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Say what is going on behind the scenes, on standard error
    #[arg(long, short, global = true, help_heading = GENERAL)]
    pub(crate) verbose: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Process legal documents: extract, chunk, entities, resolve, relate
    Ingest(Ingest),
    /// Show the databases, their contracts and what is in each
    #[command(visible_alias = "db")]
    Databases(Databases),
    /// Write, show, check or export the configuration
    #[command(subcommand)]
    Config(Config),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// Process legal documents.
#[derive(Args, Debug)]
#[command(after_help = INGEST_HELP)]
pub(crate) struct Ingest {
    /// Files and folders; folders are walked
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Write one JSON file a document into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// The project that the documents belong to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) project: String,

    /// Documents worked on at the same time [default: the number of CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: Option<u32>,

    /// Neither read nor write cached results
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// How long to wait for a server that goes away during the run, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,

    /// The OCR program for pages without text
    #[arg(long, value_name = "PROGRAM", default_value = "tesseract")]
    pub(crate) ocr: String,

    /// Refuse files larger than this many MiB
    #[arg(long, value_name = "MIB", default_value_t = 100)]
    pub(crate) max_mib: u64,
}

const INGEST_HELP: &str =
    "Reads PDF (text layer, or OCR through tesseract where it is installed), \
HTML and plain text; the content decides, not the name. Other files in folders are skipped and \
counted. A document that cannot be read fails by itself, with its reason.

Results are cached under the document's content and each stage's version, so a second run is \
answered from the cache.

Examples:
  compartment ingest samples
  compartment ingest samples --out results --json > report.json
  compartment ingest papers --backend redis://127.0.0.1:6379 --project smith-v-jones";

/// Show the databases.
#[derive(Args, Debug)]
pub(crate) struct Databases {
    /// Show this database only
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Write a compartment.toml to start from
    Init {
        /// The databases to start with
        #[arg(long, value_name = "NAME", default_value = "pipeline")]
        preset: String,
        /// Replace an existing file
        #[arg(long)]
        force: bool,
    },
    /// Print the configuration as it is used: file, environment and flags together
    Show,
    /// Check the configuration, and that the servers can be used
    Check {
        /// Do not connect
        #[arg(long)]
        offline: bool,
    },
    /// Print the settings of another program for the same databases
    Export {
        /// The program
        #[arg(long, value_name = "PROGRAM")]
        format: ExportFormat,
    },
}

/// Whose settings to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Environment variables.
    Env,
    /// A Celery configuration module.
    Celery,
    /// Django settings.
    Django,
    /// A Rails initializer, Sidekiq included.
    Rails,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}

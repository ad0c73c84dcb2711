//! `demo`: installs what the first run needs, then starts it.

use std::ffi::OsString;
use std::process::Command;

use clap::Args;

use crate::command::{Failure, announce, cargo, run as run_command};
use crate::install::{self, Presence, TESSERACT};

/// The options of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Do not install tesseract if it is missing: the two scanned papers fail, and so does the demo.
    #[arg(long)]
    no_install: bool,
    /// Print the command instead of running it, and install nothing.
    #[arg(long)]
    dry_run: bool,
    /// Arguments for `compartment ingest samples`, for example --backend redis://127.0.0.1:6379.
    #[arg(last = true)]
    extra: Vec<OsString>,
}

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let mut command = ingest(&args.extra);
    if args.dry_run {
        announce(&command);
        return Ok(());
    }
    if install::ensure(&TESSERACT, args.no_install)? == Presence::Declined {
        eprintln!("note: no tesseract on PATH, and --no-install: the scanned papers will fail");
    }
    eprintln!("note: the first build in release takes several minutes");
    run_command(&mut command)
}

/// The command line shown in the README.
fn ingest(extra: &[OsString]) -> Command {
    let mut command =
        cargo(["run", "--release", "--package", "compartment-cli", "--", "ingest", "samples"]);
    command.args(extra);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    #[test]
    fn the_samples_are_ingested_with_what_was_asked_for() {
        let command = ingest(&["--backend".into(), "redis://h".into()]);
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        let expected =
            "run --release --package compartment-cli -- ingest samples --backend redis://h";
        assert_eq!(words.join(" "), expected);
        assert_eq!(command.get_current_dir(), Some(root().as_path()));
        assert!(root().join("samples").is_dir());
    }

    #[test]
    fn a_dry_run_installs_and_builds_nothing() {
        let args = DemoArgs { no_install: false, dry_run: true, extra: Vec::new() };
        assert!(run(&args).is_ok());
    }
}

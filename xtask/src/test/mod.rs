//! `test`: every test of the workspace on a real redis-server, then every example.

mod tally;

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

use crate::command::{Failure, announce, cargo, run as run_command};
use crate::install::{self, Presence, REDIS_SERVER};
use crate::root;
use tally::Tally;

/// How to test.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Do not install redis-server where it is missing: the tests that need it are ignored.
    #[arg(long)]
    no_install: bool,
    /// For `cargo test`, and after another `--` for the tests themselves. With any of them the
    /// examples are left out.
    #[arg(last = true)]
    extra: Vec<OsString>,
}

/// The variable that the test crates' build scripts read: `none` declines the server.
const SERVER_VARIABLE: &str = "COMPARTMENT_TEST_REDIS";

pub(crate) fn run(args: &TestArgs) -> Result<(), Failure> {
    let server = install::ensure(&REDIS_SERVER, args.no_install)?;
    if server == Presence::Declined {
        eprintln!("note: no redis-server on PATH, and --no-install: its tests are ignored");
    }
    let mut command = cargo(["test", "--all-features", "--no-fail-fast"]);
    if !names_packages(&args.extra) {
        command.arg("--workspace");
    }
    match server {
        Presence::Present => {}
        // Any other value: the build scripts look again.
        Presence::JustInstalled => drop(command.env(SERVER_VARIABLE, "installed")),
        Presence::Declined => drop(command.env(SERVER_VARIABLE, "none")),
    }
    let (tests, tally) = run_tests(command.args(&args.extra))?;
    let examples = if args.extra.is_empty() { run_examples() } else { Ok(()) };
    if server == Presence::Declined {
        println!("{} tests were ignored that need a redis-server", tally.without_redis);
    }
    println!("{tally}");
    tests.and(examples)
}

/// Whether the arguments for cargo pick packages themselves.
fn names_packages(extra: &[OsString]) -> bool {
    let for_cargo = extra.iter().take_while(|argument| *argument != "--");
    for_cargo.map(|argument| argument.to_string_lossy()).any(|argument| {
        argument.starts_with("--package") || argument.starts_with("-p") || argument == "--workspace"
    })
}

/// Runs the tests, passing their lines through as they come. The outer error is that they could
/// not be run, the inner one that some failed.
fn run_tests(command: &mut Command) -> Result<(Result<(), Failure>, Tally), Failure> {
    announce(command);
    let fail = |error| Failure(format!("the tests could not be run: {error}"));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(fail)?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // Tests may print anything, also what is not UTF-8.
        while output.read_until(b'\n', &mut line).map_err(fail)? > 0 {
            let text = String::from_utf8_lossy(&line);
            print!("{text}");
            tally.read(&text);
            line.clear();
        }
    }
    let status = child.wait().map_err(fail)?;
    let tests = if status.success() {
        Ok(())
    } else if tally.failed > 0 {
        Err(Failure(format!("{} tests failed", tally.failed)))
    } else {
        Err(Failure(format!("`cargo test` ended with {status}")))
    };
    Ok((tests, tally))
}

/// Runs the examples of the crate that users depend on: each is a program that ends by itself.
fn run_examples() -> Result<(), Failure> {
    for example in examples(&root().join("crates/compartment/examples"))? {
        let arguments = [
            "run",
            "--quiet",
            "--package",
            "compartment",
            "--features",
            "blocking,cache,pipeline,redis",
            "--example",
        ];
        run_command(cargo(arguments).arg(example))?;
    }
    Ok(())
}

/// The names of the examples in `folder`, in order.
fn examples(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| Failure(format!("{} cannot be read: {error}", folder.display())))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_example = path.extension().is_some_and(|extension| extension == "rs");
            is_example.then(|| path.file_stem().map(|stem| stem.display().to_string()))?
        })
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_the_facade_is_found() {
        let found = examples(&root().join("crates/compartment/examples")).unwrap();
        assert!(found.contains(&"named_databases".to_owned()), "{found:?}");
        assert!(found.is_sorted());
        assert!(examples(Path::new("no-such-folder")).is_err());
    }

    #[test]
    fn packages_are_picked_before_the_second_dashes() {
        let picks =
            |text: &str| names_packages(&text.split(' ').map(Into::into).collect::<Vec<_>>());
        assert!(picks("--lib -p xtask"));
        assert!(picks("--package=xtask"));
        assert!(!picks("--lib -- -p"));
    }

    #[test]
    fn a_failing_test_run_is_a_failure_with_its_tally() {
        let (tests, tally) = run_tests(&mut cargo(["--no-such-flag"])).unwrap();
        assert!(tests.unwrap_err().0.contains("ended with"));
        assert_eq!(tally, Tally::default());
    }
}

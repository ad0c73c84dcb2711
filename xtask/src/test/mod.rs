//! `test`: every test of the workspace with a real redis-server, then every example.

mod redis;
mod tally;

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;

use crate::command::{Failure, announce, cargo, run as run_command};
use crate::root;
use crate::servers::{self, Server};
use redis::Redis;
use tally::Tally;

/// The variable that the test kit takes the server's program from.
const SERVER_VARIABLE: &str = "COMPARTMENT_TEST_SERVER";

/// The options of `test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Do not install redis-server if it is missing: the tests that need it are left out.
    #[arg(long)]
    no_install: bool,
    /// Leave out the tests that need a redis-server, even if there is one.
    #[arg(long)]
    no_redis: bool,
    /// Run on this server of `cargo xtask servers`, or with `all` on each of them.
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only the suites that talk to servers in their own way: conformance, differential, administration.
    #[arg(long)]
    server_suites: bool,
    /// Arguments for `cargo test`, and after another `--` for the tests. With any of them the examples are left out.
    #[arg(last = true)]
    extra: Vec<OsString>,
}

/// Tests of these modules run on several servers at once, so once is enough.
const VERSIONS: &str = "versions::";

/// The modules of tests whose answers depend on the server's version.
const SERVER_SUITES: [&str; 7] = [
    "conformance::",
    "differential::",
    "migrate",
    "interrupted::",
    "backup::",
    "restore::",
    "replication::",
];

pub(crate) fn run(args: &TestArgs) -> Result<(), Failure> {
    if let Some(name) = &args.server {
        return run_on(&chosen(name)?, args);
    }
    let redis = redis::look(args.no_redis, args.no_install);
    if let Some(why) = redis.absence() {
        eprintln!("note: {why}: the tests that need it are left out");
    }
    let mut command = cargo(arguments(&args.extra, redis == Redis::Present));
    if redis == Redis::Present && !has_servers(args.no_install) {
        command.args(["--skip", VERSIONS]);
    }
    let (tests, tally) = run_tests(&mut command)?;
    let examples = if args.extra.is_empty() { run_examples() } else { Ok(()) };
    if redis.absence().is_some() {
        println!("{} tests were left out that need a redis-server", tally.without_redis);
    }
    println!("{tally}");
    // A missing server that was not declined is a failure, whatever the other results are.
    let server = match redis {
        Redis::Present | Redis::Declined(_) => Ok(()),
        Redis::Missing(why) => Err(Failure(why)),
    };
    tests.and(examples).and(server)
}

/// Whether the other servers are there; fetches them if that is allowed.
fn has_servers(no_install: bool) -> bool {
    let why = match servers::are_there() {
        true => return true,
        false if no_install => "they were not fetched, and --no-install".to_owned(),
        false => match servers::fetch() {
            Ok(()) => return true,
            Err(Failure(why)) => why,
        },
    };
    eprintln!(
        "note: no other versions of Redis and Valkey ({why}): the tests of pairs are left out"
    );
    false
}

/// The servers that a name stands for.
fn chosen(name: &str) -> Result<Vec<&'static Server>, Failure> {
    let chosen: Vec<&Server> =
        servers::SERVERS.iter().filter(|server| name == "all" || server.name == name).collect();
    match chosen.is_empty() {
        true => {
            let known = servers::SERVERS.map(|server| server.name).join(", ");
            Err(Failure(format!("there is no server {name}: choose all, {known}")))
        }
        false => Ok(chosen),
    }
}

/// Runs the tests on each of these servers in turn, all of them even if some fail.
fn run_on(chosen: &[&Server], args: &TestArgs) -> Result<(), Failure> {
    servers::fetch()?;
    let mut results = Vec::new();
    for server in chosen {
        let mut command = cargo(arguments(&args.extra, true));
        command.args(["--skip", VERSIONS]).env(SERVER_VARIABLE, servers::program(server.name));
        if args.server_suites {
            command.args(SERVER_SUITES);
        }
        let (tests, tally) = run_tests(&mut command)?;
        results.push((server.name, tests, tally));
    }
    let mut failed = Vec::new();
    for (name, tests, tally) in results {
        println!("{name}: {tally}");
        if let Err(Failure(why)) = tests {
            failed.push(format!("{name}: {why}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure(failed.join("; "))) }
}

/// The arguments for `cargo`. Tests that need a server are marked as ignored, so that plain `cargo test` passes
/// everywhere; here they are included.
fn arguments(extra: &[OsString], with_redis: bool) -> Vec<OsString> {
    let mut parts = extra.splitn(2, |argument| argument == "--");
    let for_cargo = parts.next().unwrap_or_default();
    let for_tests = parts.next().unwrap_or_default();
    let mut all: Vec<OsString> =
        ["test", "--all-features", "--no-fail-fast"].map(Into::into).into();
    if !names_packages(for_cargo) {
        all.push("--workspace".into());
    }
    all.extend_from_slice(for_cargo);
    all.push("--".into());
    let says_itself =
        for_tests.iter().any(|argument| argument == "--ignored" || argument == "--include-ignored");
    if with_redis && !says_itself {
        all.push("--include-ignored".into());
    }
    all.extend_from_slice(for_tests);
    all
}

/// Whether the arguments for cargo select packages.
fn names_packages(for_cargo: &[OsString]) -> bool {
    for_cargo.iter().map(|argument| argument.to_string_lossy()).any(|argument| {
        argument.starts_with("--package") || argument.starts_with("-p") || argument == "--workspace"
    })
}

/// Runs the tests and forwards their output line by line. The outer error means that they could not be run, the inner
/// one that some failed.
fn run_tests(command: &mut Command) -> Result<(Result<(), Failure>, Tally), Failure> {
    announce(command);
    let fail = |error| Failure(format!("the tests could not be run: {error}"));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(fail)?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // Tests may print anything, including invalid UTF-8.
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

/// Runs the examples of the facade crate: each is a program that ends without input.
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

    /// The arguments for cargo with `extra`, as they would be typed.
    fn typed(extra: &str, with_redis: bool) -> String {
        let extra: Vec<OsString> = extra.split_whitespace().map(Into::into).collect();
        let all: Vec<_> = arguments(&extra, with_redis)
            .iter()
            .map(|argument| argument.display().to_string())
            .collect();
        all.join(" ")
    }

    #[test]
    fn tests_that_need_a_server_are_included_where_there_is_one() {
        let all = "test --all-features --no-fail-fast --workspace";
        assert_eq!(typed("", true), format!("{all} -- --include-ignored"));
        assert_eq!(typed("", false), format!("{all} --"));
        assert_eq!(
            typed("--lib -- a_name --nocapture", true),
            format!("{all} --lib -- --include-ignored a_name --nocapture")
        );
        assert_eq!(typed("-- --ignored", true), format!("{all} -- --ignored"));
    }

    #[test]
    fn packages_are_picked_before_the_second_dashes() {
        assert!(!typed("--lib -p xtask", true).contains("--workspace"));
        assert!(!typed("--package=xtask", true).contains("--workspace"));
        assert!(typed("--lib -- -p", true).contains("--workspace"));
    }

    #[test]
    fn servers_are_chosen_by_name() {
        assert_eq!(chosen("all").unwrap().len(), servers::SERVERS.len());
        assert_eq!(chosen("valkey-9.1").unwrap()[0].name, "valkey-9.1");
        let refused = chosen("valkey").unwrap_err().0;
        assert!(refused.contains("redis-6.2") && refused.contains("all"), "{refused}");
    }

    #[test]
    fn a_failing_test_run_is_a_failure_with_its_tally() {
        let (tests, tally) = run_tests(&mut cargo(["--no-such-flag"])).unwrap();
        assert!(tests.unwrap_err().0.contains("ended with"));
        assert_eq!(tally, Tally::default());
    }
}

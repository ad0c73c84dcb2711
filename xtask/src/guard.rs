//! `bench guard`: the cheap rows of this tree beside those of an earlier one, in pairs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use serde_json::Value;

use crate::command::{Failure, cargo, output, run, target};
use crate::root;

/// Compares speed with an earlier tree.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench guard")]
struct Guard {
    /// The revision to compare with [default: the newest tag of a release].
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,
    /// How often each side is measured, in turns.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// How many percent slower a row may be.
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    most: f64,
    /// Measure only the operations whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

const PROGRAM: &str = "compartment-bench";
/// The contender that is ours.
const OURS: &str = "compartment";

/// A row's name, and whether more of it is better.
type Name = (String, bool);

pub(crate) fn guard(arguments: &[OsString]) -> Result<(), Failure> {
    let name = OsString::from("guard");
    let guard = Guard::try_parse_from(std::iter::once(&name).chain(arguments))
        .map_err(|error| Failure::new(error.to_string()))?;
    let revision = match &guard.against {
        Some(revision) => revision.clone(),
        None => last_release()?,
    };
    let folder = root().join("target/guard");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::new(error.to_string()))?;
    let before = built_before(&folder, &revision)?;
    run(&mut cargo(["build", "--quiet", "--release", "--package", PROGRAM]))?;
    let now = target().join("release").join(PROGRAM);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 0..guard.rounds {
        eprintln!("round {} of {}", round + 1, guard.rounds);
        // Whoever is measured second finds a machine that is warm.
        for turn in 0..2 {
            let is_now = (round + turn) % 2 == 0;
            let program = if is_now { &now } else { &before };
            let rows = measured(program, &folder, guard.only.as_deref())?;
            if is_now { ours.push(rows) } else { theirs.push(rows) }
        }
    }
    let slower = compare(&theirs, &ours, guard.most);
    println!("{:<32}{:>12}{:>12}{:>10}", "ratio to the reference", &revision, "now", "change");
    for row in &slower {
        println!("{row}");
    }
    let worst: Vec<&str> = slower.iter().filter(|row| row.is_worse).map(|row| &*row.name).collect();
    if worst.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "slower by more than {} %: {}; measure again on a quiet machine with more --rounds",
        guard.most,
        worst.join(", ")
    )))
}

fn last_release() -> Result<String, Failure> {
    let tags = output(
        Command::new("git")
            .args(["tag", "--list", "v*", "--sort=-version:refname"])
            .current_dir(root()),
    )?;
    let newest = tags.lines().next().map(str::to_owned);
    newest.ok_or_else(|| {
        Failure::new("there is no tag of a release yet: name a revision with --against")
    })
}

/// Builds the benchmark of an earlier tree, in a folder that keeps what it compiled.
fn built_before(folder: &Path, revision: &str) -> Result<PathBuf, Failure> {
    let tree = folder.join("tree");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(root());
        command
    };
    let name = tree.display().to_string();
    if tree.join("Cargo.toml").exists() {
        run(git(&["-C", &name, "checkout", "--quiet", "--detach", revision]).current_dir(root()))?;
    } else {
        run(&mut git(&["worktree", "prune"]))?;
        run(&mut git(&["worktree", "add", "--quiet", "--detach", &name, revision]))?;
    }
    let build = folder.join("build");
    run(cargo(["build", "--quiet", "--release", "--package", PROGRAM])
        .current_dir(&tree)
        .env("CARGO_TARGET_DIR", &build))?;
    Ok(build.join("release").join(PROGRAM))
}

/// Runs the cheap rows; returns our ratio to the reference in each.
fn measured(
    program: &Path,
    folder: &Path,
    only: Option<&str>,
) -> Result<BTreeMap<Name, f64>, Failure> {
    let file = folder.join("rows.json");
    let mut command = Command::new(program);
    command.args(["bench", "backends", "--quick", "--json"]).arg(&file);
    if let Some(only) = only {
        command.args(["--only", only]);
    }
    output(&mut command)?;
    let text = std::fs::read_to_string(&file).map_err(|error| Failure::new(error.to_string()))?;
    let report = serde_json::from_str(&text).map_err(|error| Failure::new(error.to_string()))?;
    Ok(rows_of(&report))
}

fn rows_of(report: &Value) -> BTreeMap<Name, f64> {
    let mut rows = BTreeMap::new();
    for kind in ["redis", "memory"] {
        let listed = report.pointer(&format!("/backends/{kind}/rows")).and_then(Value::as_array);
        for row in listed.into_iter().flatten() {
            let (Some(what), Some(tasks)) = (row["what"].as_str(), row["tasks"].as_u64()) else {
                continue;
            };
            let figures = row["figures"].as_array().into_iter().flatten();
            let ours = figures.into_iter().find(|figure| figure["contender"] == OURS);
            if let Some(ratio) = ours.and_then(|figure| figure["ratio"].as_f64()) {
                // One task is measured by its latency.
                rows.insert((format!("{kind}, {tasks} tasks, {what}"), tasks > 1), ratio);
            }
        }
    }
    rows
}

/// A row of both sides.
#[derive(Debug)]
struct Compared {
    name: String,
    before: f64,
    now: f64,
    /// In percent; more is better.
    change: f64,
    is_worse: bool,
}

impl std::fmt::Display for Compared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.is_worse { "  slower" } else { "" };
        let Self { name, before, now, change, .. } = self;
        write!(f, "{name:<32}{before:>11.2}×{now:>11.2}×{change:>+8.1} %{mark}")
    }
}

/// The median of each row over the rounds, and its change.
fn compare(
    before: &[BTreeMap<Name, f64>],
    now: &[BTreeMap<Name, f64>],
    most: f64,
) -> Vec<Compared> {
    let median = |rounds: &[BTreeMap<Name, f64>], name: &Name| {
        let mut all: Vec<f64> = rounds.iter().filter_map(|rows| rows.get(name).copied()).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    };
    let names = now.first().into_iter().flat_map(BTreeMap::keys);
    let rows = names.filter_map(|name| {
        let (before, now) = (median(before, name)?, median(now, name)?);
        let gain = if name.1 { now / before } else { before / now };
        let change = (gain - 1.0) * 100.0;
        Some(Compared { name: name.0.clone(), before, now, change, is_worse: change < -most })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(latency: f64, throughput: f64) -> BTreeMap<Name, f64> {
        let rows = |tasks: u32, ratio: f64| {
            format!(
                r#"{{"what": "GET", "tasks": {tasks}, "figures": [
                    {{"contender": "compartment", "ratio": {ratio}}},
                    {{"contender": "redis-rs", "ratio": 1.0}}]}}"#
            )
        };
        let text = format!(
            r#"{{"backends": {{"redis": {{"rows": [{}, {}]}}}}}}"#,
            rows(1, latency),
            rows(64, throughput)
        );
        rows_of(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_row_is_worse_by_its_median_and_its_own_direction() {
        let before = [round(1.0, 2.0), round(1.1, 1.9), round(9.0, 0.1)];
        let equal = compare(&before, &before, 5.0);
        assert_eq!(equal.len(), 2);
        assert!(equal.iter().all(|row| !row.is_worse && row.change.abs() < 1e-9), "{equal:?}");
        let slow = compare(&before, &[round(1.2, 1.7)], 5.0);
        assert!(slow.iter().all(|row| row.is_worse), "{slow:?}");
        let fast = compare(&before, &[round(0.9, 2.5)], 5.0);
        assert!(fast.iter().all(|row| !row.is_worse && row.change > 5.0), "{fast:?}");
    }

    #[test]
    fn wrong_arguments_are_refused() {
        assert!(guard(&["--rounds".into(), "0".into()]).is_err());
        assert!(guard(&["--against".into()]).is_err());
    }
}

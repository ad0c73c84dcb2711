//! The units of `deploy/`, as read by systemd and the program.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::process::Command;
use std::time::Duration;

use crate::program::run;

const UNIT: &str = include_str!("../../../../deploy/compartment-worker@.service");
const INSTALLED: &str = "/usr/local/bin/compartment";

fn setting(name: &str) -> &'static str {
    let value = UNIT.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("the unit has no {name}"))
}

/// The arguments of `ExecStart`, without the program and the options of single workers.
fn arguments() -> Vec<&'static str> {
    let words = setting("ExecStart").strip_prefix(INSTALLED).unwrap().split_whitespace();
    words.filter(|word| !word.starts_with('$')).collect()
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    }
    assert_eq!(complaints(UNIT), [""; 0]);
    let broken = complaints(&UNIT.replace("ProtectClock=", "ProtectClok="));
    assert!(broken.len() == 1 && broken[0].contains("ProtectClok"), "{broken:#?}");
}

/// All messages of systemd about the unit when the program is installed.
fn complaints(unit: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let text = unit.replace(INSTALLED, env!("CARGO_BIN_EXE_compartment"));
    let file = folder.path().join("compartment-worker@1.service");
    std::fs::write(&file, text).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    // Lines about other units of this machine are ignored.
    said.lines().filter(|line| line.contains("compartment-worker")).map(str::to_owned).collect()
}

#[test]
fn the_program_takes_the_arguments_of_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let mut started = arguments();
    started.extend(["--backend", "https://none.example"]);
    let refused = run(folder.path(), &started);
    assert_eq!(refused.code, 4, "{refused:?}");
    started.push("--no-such-option");
    assert_eq!(run(folder.path(), &started).code, 2);
}

#[test]
fn a_worker_is_killed_after_its_drain_only() {
    let arguments = arguments();
    let at = arguments.iter().position(|word| *word == "--drain").unwrap();
    assert!(
        seconds(setting("TimeoutStopSec")) >= seconds(arguments[at + 1]) + Duration::from_secs(30)
    );
    assert_eq!(setting("KillSignal"), "SIGTERM");
    assert_eq!(setting("KillMode"), "mixed");
    // The exit code of a worker that was asked to end: docs/exit-codes.md.
    assert_eq!(setting("SuccessExitStatus"), "130");
}

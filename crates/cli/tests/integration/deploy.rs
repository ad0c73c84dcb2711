//! The units of `deploy/`, as read by systemd and the program.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::process::Command;
use std::time::Duration;

use crate::program::run;

const UNIT: &str = include_str!("../../../../deploy/compartment-worker@.service");
const FRONT: &str = include_str!("../../../../deploy/compartment-front.service");
const SOCKET: &str = include_str!("../../../../deploy/compartment-front.socket");
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
    assert_eq!(complaints(UNIT, "compartment-worker@1.service"), [""; 0]);
    assert_eq!(complaints(FRONT, "compartment-front.service"), [""; 0]);
    assert_eq!(complaints(SOCKET, "compartment-front.socket"), [""; 0]);
    let broken = UNIT.replace("ProtectClock=", "ProtectClok=");
    let broken = complaints(&broken, "compartment-worker@1.service");
    assert!(broken.len() == 1 && broken[0].contains("ProtectClok"), "{broken:#?}");
}

/// All messages of systemd about the unit when the program is installed.
fn complaints(unit: &str, name: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let text = unit.replace(INSTALLED, env!("CARGO_BIN_EXE_compartment"));
    let file = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    // A socket is looked at with the service that it starts.
    let front = FRONT.replace(INSTALLED, env!("CARGO_BIN_EXE_compartment"));
    std::fs::write(folder.path().join("compartment-front.service"), front).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    // Lines about other units of this machine are ignored.
    said.lines().filter(|line| line.contains("compartment-")).map(str::to_owned).collect()
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

//! Papers, files and servers made to do harm: each fails alone, within the limits, and everything else is done.
//!
//! A program of its own: they take memory and processors from tests beside them.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod mutants;
mod ocr;
mod papers;
mod parsers;
#[path = "../integration/program/mod.rs"]
mod program;
mod readers;
mod runs;
mod servers;

use std::path::Path;

use compartment_testkit::{eventually, run_test};

/// Waits until a process has ended; one that nobody has waited for yet counts as ended.
fn until_ended(pid: &str) {
    let state = Path::new("/proc").join(pid).join("stat");
    run_test(eventually("the process has ended", || async {
        std::fs::read_to_string(&state).map_or(true, |stat| stat.contains(") Z"))
    }));
}

/// Waits until a file holds at least one whole line, and returns its content.
fn until_written(file: &Path) -> String {
    run_test(eventually("the file is written", || async {
        std::fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'))
    }));
    std::fs::read_to_string(file).unwrap()
}

/// Writes an executable script.
fn script(path: &Path, lines: &str) {
    use std::os::unix::fs::PermissionsExt;

    std::fs::write(path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

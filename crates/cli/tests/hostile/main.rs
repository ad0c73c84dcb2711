//! Papers, files and servers made to do harm: each fails alone, within the limits, and everything else is done.
//!
//! A program of its own: they take memory and processors from tests beside them.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod forged;
mod mutants;
mod ocr;
mod papers;
mod parsers;
#[path = "../integration/program/mod.rs"]
mod program;
mod readers;
mod roots;
mod runs;
mod servers;
mod terminal;

use std::path::Path;
use std::process::{Child, Command};

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

/// A worker in the background, which ends with the test.
struct RunningWorker(Option<Child>);

impl RunningWorker {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self(Some(program::start(folder, arguments)))
    }

    /// Asks it to end, and returns its exit code.
    fn stop(mut self) -> i32 {
        let worker = self.0.take().unwrap();
        let asked = Command::new("kill").arg(worker.id().to_string()).status().unwrap();
        assert!(asked.success());
        program::finish(worker).code
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        if let Some(worker) = &mut self.0 {
            // It may have ended.
            let _ = worker.kill();
        }
    }
}

/// Writes an executable script.
fn script(path: &Path, lines: &str) {
    use std::os::unix::fs::PermissionsExt;

    std::fs::write(path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

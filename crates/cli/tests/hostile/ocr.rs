//! The OCR program: what it may see, use and leave behind. Scripts stand in for it.

use std::path::Path;
use std::process::Command;

use super::{script, until_ended, until_written};
use crate::program::{command, finish, json, run, start};

/// A page that is an image, so that it needs OCR.
fn scan(folder: &Path) {
    let content = b"q 612 0 0 792 0 0 cm BI /W 2 /H 2 /CS /G /BPC 8 ID abcd EI Q";
    let file = super::papers::Pdf::of_one_page("").stream("", content).file("");
    std::fs::write(folder.join("scan.pdf"), file).unwrap();
}

/// A folder with a scan and an OCR program.
fn place(lines: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    scan(folder.path());
    script(&folder.path().join("ocr"), lines);
    folder
}

const INGEST: [&str; 5] = ["ingest", "scan.pdf", "--json", "--ocr", "./ocr"];

/// The code and the reason of the one failure.
fn failure(folder: &Path, more: &[&str]) -> (String, String) {
    let report = json(&run(folder, &[&INGEST, more].concat()));
    let failure = &report["failures"][0];
    let text = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
    (text("code"), text("reason"))
}

#[test]
fn the_program_sees_no_secret_and_has_the_limits() {
    let folder = place(
        "env > env.txt; cat /proc/self/limits /proc/self/status > limits.txt; echo Roe v. Doe",
    );
    let mut ingest = command(folder.path(), &INGEST);
    ingest.env("COMPARTMENT_LEDGER", "ledger.db").env("REDIS_PASSWORD", "kept-from-programs");
    ingest.env("TESSDATA_PREFIX", "/a/place").env("SOME_TOKEN", "kept-from-programs");
    let output = ingest.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let variables = until_written(&folder.path().join("env.txt"));
    assert!(!variables.contains("kept-from") && !variables.contains("ledger"), "{variables}");
    assert!(variables.contains("TESSDATA_PREFIX=/a/place"), "{variables}");
    assert!(variables.contains("OMP_THREAD_LIMIT=1"), "{variables}");
    let limits = until_written(&folder.path().join("limits.txt"));
    let value = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(value("Max data size"), (1024 * 1024 * 1024).to_string());
    assert_ne!(value("Max address space"), "unlimited");
    assert_ne!(value("Max cpu time"), "unlimited");
    // Not more than it may have had before.
    assert!(["0", "1"].contains(&value("Max core file size").as_str()));
    assert_eq!(value("NoNewPrivs:"), "1");
}

#[test]
fn a_missing_program_and_a_failing_one_are_told_apart() {
    let folder = place("echo no language data >&2; exit 1");
    let (code, reason) = failure(folder.path(), &[]);
    assert_eq!(code, "ocr_failed");
    assert!(reason.contains("no language data"), "{reason}");
    std::fs::remove_file(folder.path().join("ocr")).unwrap();
    assert_eq!(failure(folder.path(), &[]).0, "ocr_missing");
}

#[test]
fn a_flood_of_text_ends() {
    let folder = place("exec cat /dev/zero");
    let (code, reason) = failure(folder.path(), &[]);
    assert_eq!(code, "ocr_failed");
    assert!(reason.contains("it wrote more than"), "{reason}");
}

#[test]
fn a_program_that_hangs_is_killed_with_what_it_started() {
    let folder = place("sleep 600 & echo $$ $! > pids; wait");
    let (code, _) = failure(folder.path(), &["--read-timeout", "10s"]);
    assert!(["timed_out", "ocr_timed_out"].contains(&code.as_str()), "{code}");
    for pid in until_written(&folder.path().join("pids")).split_whitespace() {
        until_ended(pid);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_reader_and_the_program_end_with_a_killed_run() {
    let folder = place("echo $$ $PPID > pids; exec sleep 600");
    let ingest = start(folder.path(), &INGEST);
    let pids = until_written(&folder.path().join("pids"));
    let killed = Command::new("kill").args(["-KILL", &ingest.id().to_string()]).status().unwrap();
    assert!(killed.success());
    for pid in pids.split_whitespace() {
        until_ended(pid);
    }
    assert_eq!(finish(ingest).code, -1);
}

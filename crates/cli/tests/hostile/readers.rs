//! Reading processes that die, lie, hang or are missing; stood in for by scripts where ours would not do it.

use std::path::Path;
use std::time::Duration;

use compartment_documents::reader::{Reader, ReaderLimits, ReaderProgram};
use compartment_documents::{DocumentError, ExtractOptions};

use super::{papers, until_ended, until_written};

const PROGRAM: &str = env!("CARGO_BIN_EXE_compartment");
const MIB: u64 = 1024 * 1024;

fn limits(mib: u64) -> ReaderLimits {
    let mut limits = ReaderLimits::default();
    limits.memory = mib * MIB;
    limits
}

/// A reader whose processes run a script after they said hello.
fn acting(lines: &str) -> Reader {
    let version = env!("CARGO_PKG_VERSION");
    // A frame: its length in four bytes, then an array of one string in MessagePack.
    let hello = format!(
        r"printf '\{:03o}\0\0\0\221\{:03o}{version}'; ulimit -c 0; {lines}",
        version.len() + 2,
        0xa0 + version.len()
    );
    Reader::in_children(ReaderProgram::new("/bin/sh", ["-c", &hello]), limits(1024))
}

fn read(reader: &Reader) -> DocumentError {
    let mut options = ExtractOptions::default();
    options.document_timeout = Duration::from_secs(4);
    reader.read(b"Roe v. Doe", "a.txt", &options).unwrap_err()
}

#[test]
fn each_end_of_a_process_is_a_failure_of_its_document() {
    for (lines, code, text) in [
        ("exit 3", "reader_failed", "exit status: 3"),
        ("kill -ABRT $$", "reader_failed", "signal: 6"),
        ("kill -KILL $$", "reader_failed", "signal 9"),
        ("kill -XCPU $$", "timed_out", "4 s"),
        (
            "echo memory allocation of 9 bytes failed >&2; kill -ABRT $$",
            "out_of_memory",
            "1024 MiB",
        ),
        ("exec sleep 600", "timed_out", "4 s"),
        // Nobody reads a flood of messages while the process lives.
        ("cat /dev/zero >&2", "timed_out", "4 s"),
        ("exec sleep 600 >&2", "reader_failed", "it closed its output"),
        // A frame of 4 GiB; then an answer with a text of 2^64 - 1 bytes.
        (r"printf '\377\377\377\377'; exec cat /dev/zero", "reader_failed", "4294967295 bytes"),
        (
            r"printf '\036\0\0\0\222\201\242Ok\225\317\377\377\377\377\377\377\377\377\220\252plain_text\220\220\302'; exec cat /dev/zero",
            "reader_failed",
            "bytes",
        ),
    ] {
        let error = read(&acting(lines));
        assert_eq!(error.code(), code, "{lines}: {error}");
        assert!(error.to_string().contains(text), "{lines}: {error}");
    }
}

#[test]
fn a_program_that_does_not_read_documents_is_named() {
    let missing = ReaderProgram::new("/no/such/program", ["x"]);
    let error = read(&Reader::in_children(missing, limits(256)));
    assert_eq!(error.code(), "reader_unavailable", "{error}");
    assert!(error.is_transient() && error.to_string().contains("/no/such/program"), "{error}");
    let failing = ReaderProgram::new("/bin/sh", ["-c", "echo it lacks a library >&2; exit 4"]);
    let error = read(&Reader::in_children(failing, limits(256)));
    assert_eq!(error.code(), "reader_unavailable", "{error}");
    assert!(error.to_string().contains("it lacks a library"), "{error}");
}

#[test]
fn what_a_process_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let lines = format!("sleep 600 & echo $$ $! > {}; wait", pids.display());
    assert_eq!(read(&acting(&lines)).code(), "timed_out");
    for pid in until_written(&pids).split_whitespace() {
        until_ended(pid);
    }
}

#[test]
fn a_process_has_nothing_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let variables = folder.path().join("variables");
    read(&acting(&format!("env > {}", variables.display())));
    let variables = until_written(&variables);
    let names: Vec<&str> =
        variables.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // The test itself has more.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let given = [
        "PATH",
        "LD_LIBRARY_PATH",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TESSDATA_PREFIX",
        "MALLOC_ARENA_MAX",
    ];
    let of_a_shell = ["PWD", "OLDPWD", "SHLVL", "_"];
    for name in names {
        assert!(given.contains(&name) || of_a_shell.contains(&name), "{name}");
    }
}

/// A reader of our program that writes the number of each process that it starts to a file.
fn counted(starts: &Path, mib: u64) -> Reader {
    let lines = format!(r#"echo $$ >> {}; exec "$0" read-documents "$@""#, starts.display());
    let program = ReaderProgram::new("/bin/sh", ["-c", &lines, PROGRAM]);
    Reader::in_children(program, limits(mib))
}

fn started(starts: &Path) -> usize {
    std::fs::read_to_string(starts).unwrap().lines().count()
}

#[test]
fn a_well_process_is_used_again_and_a_sick_one_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let reader = counted(&starts, 256);
    let options = ExtractOptions::default();
    let read = |bytes: &[u8]| reader.read(bytes, "paper", &options);
    for number in 0..20 {
        let text = format!("Roe v. Doe, No. 20-{number}");
        assert_eq!(read(text.as_bytes()).unwrap().text, text);
    }
    // A document that cannot be read leaves its process well.
    assert_eq!(read(b"\x7fELF\x02").unwrap_err().code(), "unsupported_format");
    assert_eq!(started(&starts), 1);
    assert_eq!(read(&papers::nested_function()).unwrap_err().code(), "reader_failed");
    read(b"Roe v. Doe").unwrap();
    assert_eq!(started(&starts), 2);
    assert_eq!(read(&papers::content_that_expands()).unwrap_err().code(), "out_of_memory");
    read(b"Roe v. Doe").unwrap();
    assert_eq!(started(&starts), 3);
    // A process that was ended while it was idle is not the next document's failure.
    let idle = std::fs::read_to_string(&starts).unwrap();
    let idle = idle.lines().last().unwrap();
    let killed = std::process::Command::new("kill").args(["-KILL", idle]).status().unwrap();
    assert!(killed.success());
    until_ended(idle);
    read(b"Roe v. Doe").unwrap();
    assert_eq!(started(&starts), 4);
}

#[test]
fn many_documents_are_read_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let reader = counted(&folder.path().join("starts"), 256);
    let options = ExtractOptions::default();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (reader, options) = (&reader, &options);
            scope.spawn(move || {
                for number in 0..10 {
                    let text = format!("Roe v. Doe, No. {thread}-{number}");
                    let read = reader.read(text.as_bytes(), "a.txt", options).unwrap();
                    assert_eq!(read.text, text);
                }
            });
        }
    });
    assert!(started(&folder.path().join("starts")) <= 8);
}

#[test]
fn the_process_reads_as_this_one_does() {
    let child = Reader::in_children(ReaderProgram::new(PROGRAM, ["read-documents"]), limits(1024));
    let mut options = ExtractOptions::default();
    options.ocr = false;
    let here = Reader::in_process();
    for entry in std::fs::read_dir("../../samples").unwrap() {
        let path = entry.unwrap().path();
        let (bytes, name) = (std::fs::read(&path).unwrap(), path.display().to_string());
        let codes = |reader: &Reader| {
            reader.read(&bytes, &name, &options).map_err(|error| error.to_string())
        };
        assert_eq!(codes(&child), codes(&here), "{name}");
    }
}

#[test]
fn a_command_that_nobody_may_start_says_so() {
    let run = crate::program::run(Path::new("."), &["read-documents"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("another process"), "{}", run.err);
}

//! Runs the program like a user.

#![expect(clippy::unwrap_used, reason = "test support: a failure here is a failed test")]

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What a run printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program in `folder`, without environment variables that change its behaviour.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compartment"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_ours = [
            "REDIS_",
            "COMPARTMENT_",
            "CACHE_",
            "ENVIRONMENT",
            "OTEL_",
            "CLICOLOR",
            "NO_COLOR",
            "STREAM_",
            "MAX_STREAM_",
        ];
        if is_ours.iter().any(|start| name.starts_with(start)) {
            command.env_remove(name.as_ref());
        }
    }
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Run {
    let output = command(folder, arguments).output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Child {
    command(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn finish(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The JSON output of a run.
pub(crate) fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.out).unwrap()
}

/// A small paper with unique content.
pub(crate) fn paper(number: usize) -> String {
    format!(
        "UNITED STATES DISTRICT COURT\nNORTHERN DISTRICT OF CALIFORNIA\n\n\
         ACORN MILLING {number}, INC., Plaintiff,\nv.\nBASALT TRADING LLC, Defendant.\n\n\
         Case No. 3:21-cv-0{number:04}\n\nORDER\n\n\
         The motion is denied. See Celotex Corp. v. Catrett, 477 U.S. 317, 322 (1986); 42 U.S.C. \
         § 1983. Plaintiff seeks ${number},500 and paid on March 3, 2020.\n\n\
         IT IS SO ORDERED.\nDated: June 7, 2021\n"
    )
}

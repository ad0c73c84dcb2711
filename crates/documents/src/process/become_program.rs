//! Replaces this process, with the limits that it has set on itself, by another program.

use std::io::{ErrorKind, Result};
use std::process::Command;

/// Exit code of a command that was not found, as in shells.
pub(crate) const NOT_FOUND: i32 = 127;

/// Replaces this process by a program; returns only if that fails.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;

    let error = command.exec();
    if error.kind() == ErrorKind::NotFound {
        std::process::exit(NOT_FOUND);
    }
    Err(error)
}

/// Runs a program and ends with its exit code, which is as near as this system comes; returns only if that fails.
#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> Result<()> {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) if error.kind() == ErrorKind::NotFound => std::process::exit(NOT_FOUND),
        Err(error) => Err(error),
    }
}

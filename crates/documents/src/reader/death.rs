//! Why a process of a reader ended without an answer, from its status and its last message.

use std::io::Read;
use std::process::{ChildStderr, ExitStatus};
use std::time::Duration;

use crate::error::DocumentError;

/// Bytes of the last message that are read.
const MAX_MESSAGE: u64 = 4 * 1024;

/// Begins Rust's message about an allocation that failed.
const NO_MEMORY: &str = "memory allocation of";
/// Part of Rust's message about a stack that overflowed.
const NO_STACK: &str = "has overflowed its stack";

/// The message that a process left on standard error. Call it when the process and its group have ended.
pub(super) fn last_message(pipe: Option<ChildStderr>) -> String {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // Bytes read before an error are still a message.
        let _ = pipe.take(MAX_MESSAGE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The failure of the document that a process read when it ended. `memory` is its limit in bytes, `time` that of its
/// processor time; without a status, the process did not end by itself.
pub(super) fn cause_of_death(
    status: Option<ExitStatus>,
    message: &str,
    memory: u64,
    time: Duration,
) -> DocumentError {
    if message.contains(NO_MEMORY) {
        return DocumentError::OutOfMemory { limit: memory };
    }
    if message.contains(NO_STACK) {
        let reason = "its parts are nested too deeply for the stack".to_owned();
        return DocumentError::ReaderFailed { reason };
    }
    let Some(status) = status else {
        return DocumentError::ReaderFailed { reason: "it closed its output".to_owned() };
    };
    match signal_of(status) {
        Some(signal::CPU_TIME) => DocumentError::TimedOut { limit: time },
        Some(signal @ (signal::KILL | signal::TERMINATE)) => DocumentError::ReaderKilled { signal },
        _ => {
            DocumentError::ReaderFailed { reason: format!("it ended without an answer ({status})") }
        }
    }
}

/// Signals by their numbers, which are those of every system that has them.
mod signal {
    pub(super) const KILL: i32 = 9;
    pub(super) const TERMINATE: i32 = 15;
    /// Processor time is used up.
    pub(super) const CPU_TIME: i32 = 24;
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn code(raw: i32, message: &str) -> &'static str {
        let status = Some(ExitStatus::from_raw(raw));
        cause_of_death(status, message, 1, Duration::from_secs(1)).code()
    }

    #[test]
    fn each_death_has_its_code() {
        const ABORT: i32 = 6;
        assert_eq!(code(ABORT, "memory allocation of 9 bytes failed\n"), "out_of_memory");
        assert_eq!(
            code(ABORT, "\nthread 'pdf-reader' has overflowed its stack\n"),
            "reader_failed"
        );
        assert_eq!(code(ABORT, ""), "reader_failed");
        assert_eq!(code(signal::CPU_TIME, ""), "timed_out");
        assert_eq!(code(signal::KILL, ""), "reader_failed");
        // An exit code is in the second byte.
        assert_eq!(code(3 << 8, "x"), "reader_failed");
    }
}

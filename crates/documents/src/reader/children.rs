//! The processes of a reader: idle ones are used again, sick ones replaced.

use std::fmt;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use super::child::{Child, Outcome};
use super::content::Content;
use super::failure::ReadFailure;
use super::process::Process;
use super::wire::Request;
use crate::error::DocumentError;
use crate::extract::ExtractOptions;
use crate::model::ExtractedText;
use crate::process::{ReaderLimits, ReaderProgram};

/// The processes of a reader.
pub(super) struct Children {
    program: ReaderProgram,
    limits: ReaderLimits,
    idle: Mutex<Vec<Child>>,
    /// Every process that may still run.
    all: Mutex<Vec<Weak<Process>>>,
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children")
            .field("program", &self.program)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A document is sent to a second process if the first one ended before it had the whole document.
const MAX_ATTEMPTS: usize = 2;

/// Characters of a name that a process is told; only the end of a name says something about its format.
const MAX_NAME: usize = 255;

impl Children {
    pub(super) fn new(program: ReaderProgram, limits: ReaderLimits) -> Self {
        Self { program, limits, idle: Mutex::default(), all: Mutex::default() }
    }

    /// Has a process read a document. A process that has not answered when the document's time is over is killed.
    pub(super) fn read(
        &self,
        mut content: Box<dyn Content>,
        name: &str,
        options: &ExtractOptions,
    ) -> Result<ExtractedText, ReadFailure> {
        let started = Instant::now();
        let limit = options.document_timeout;
        let mut last = DocumentError::ReaderUnavailable { reason: "it was not asked".to_owned() };
        for attempt in 0..MAX_ATTEMPTS {
            let child = self.child(attempt == 0)?;
            let request = Request { name: end_of(name), options: options.clone() };
            let outcome = child.ask(request, content);
            match outcome.recv_timeout(limit.saturating_sub(started.elapsed())) {
                Ok(Outcome::Ended { read, is_well }) => {
                    if is_well {
                        locked(&self.idle).push(child);
                    }
                    return read;
                }
                Ok(Outcome::Unsent { content: unsent, error }) => {
                    (content, last) = (unsent, error);
                    content.rewind()?;
                }
                Err(RecvTimeoutError::Timeout) => {
                    child.process().kill();
                    return Err(DocumentError::TimedOut { limit }.into());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let reason = "the thread that drives its process has ended".to_owned();
                    return Err(DocumentError::ReaderFailed { reason }.into());
                }
            }
        }
        Err(last.into())
    }

    /// An idle process, if it `may_be_used`, or a new one.
    fn child(&self, may_be_used: bool) -> Result<Child, DocumentError> {
        if may_be_used && let Some(child) = locked(&self.idle).pop() {
            return Ok(child);
        }
        let child = Child::start(&self.program, self.limits).map_err(|error| {
            DocumentError::ReaderUnavailable { reason: format!("no thread for it: {error}") }
        })?;
        let mut all = locked(&self.all);
        all.retain(|process| process.strong_count() > 0);
        all.push(Arc::downgrade(child.process()));
        Ok(child)
    }

    /// Ends every process.
    pub(super) fn close(&self) {
        locked(&self.idle).clear();
        for process in locked(&self.all).drain(..) {
            if let Some(process) = process.upgrade() {
                process.kill();
            }
        }
    }
}

fn end_of(name: &str) -> String {
    let skipped = name.chars().count().saturating_sub(MAX_NAME);
    name.chars().skip(skipped).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! A running process of a reader, which several threads may end and one waits for.

use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process::{ends_by_itself, kill_group};

/// The process of a reader.
#[derive(Debug)]
pub(super) struct Process(Mutex<State>);

#[derive(Debug)]
enum State {
    NotStarted,
    Running(Child),
    /// It was waited for, or must not be started any more.
    Ended,
}

impl Process {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::NotStarted))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a process that was started. If it was to be killed meanwhile, it is.
    pub(super) fn started(&self, mut child: Child) {
        let mut state = self.state();
        match *state {
            State::NotStarted => *state = State::Running(child),
            State::Running(_) | State::Ended => {
                kill_group(&mut child);
                drop(state);
                let _ = child.wait();
            }
        }
    }

    /// Kills the process and those that it started.
    pub(super) fn kill(&self) {
        let mut state = self.state();
        match &mut *state {
            State::Running(child) => kill_group(child),
            State::NotStarted => *state = State::Ended,
            State::Ended => {}
        }
    }

    /// Kills the process if it still runs, and waits for it.
    pub(super) fn end(&self) {
        if let Some(mut child) = self.take() {
            // Kills what the process left behind, before its number may belong to another one.
            kill_group(&mut child);
            let _ = child.wait();
        }
    }

    /// Ends a process that closed its output. Its status, if it ended by itself.
    pub(super) fn death(&self) -> Option<ExitStatus> {
        let mut child = self.take()?;
        let is_own = ends_by_itself(&mut child);
        kill_group(&mut child);
        child.wait().ok().filter(|_| is_own)
    }

    fn take(&self) -> Option<Child> {
        match std::mem::replace(&mut *self.state(), State::Ended) {
            State::Running(child) => Some(child),
            State::NotStarted | State::Ended => None,
        }
    }
}

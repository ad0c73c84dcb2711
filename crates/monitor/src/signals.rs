//! Signals of the system: to end, and to give the terminal back for a while.

use std::io;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    End,
    Suspend,
}

#[cfg(unix)]
pub(crate) use on_unix::{Signals, stop};

#[cfg(unix)]
mod on_unix {
    use rustix::process::{Signal, getpid, kill_process};
    use tokio::signal::unix::{self, SignalKind, signal};

    use super::{Asked, io};

    /// The signals that the monitor answers.
    #[derive(Debug)]
    pub(crate) struct Signals {
        ends: [unix::Signal; 4],
        suspends: unix::Signal,
    }

    impl Signals {
        pub(crate) fn new() -> io::Result<Self> {
            let ends = [
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::quit())?,
            ];
            let suspends = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
            Ok(Self { ends, suspends })
        }

        pub(crate) async fn next(&mut self) -> Asked {
            let [terminate, hangup, interrupt, quit] = &mut self.ends;
            tokio::select! {
                _ = terminate.recv() => Asked::End,
                _ = hangup.recv() => Asked::End,
                _ = interrupt.recv() => Asked::End,
                _ = quit.recv() => Asked::End,
                _ = self.suspends.recv() => Asked::Suspend,
            }
        }
    }

    /// Stops this process until it is told to continue.
    pub(crate) fn stop() {
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

#[cfg(not(unix))]
pub(crate) use elsewhere::{Signals, stop};

#[cfg(not(unix))]
mod elsewhere {
    use super::{Asked, io};

    /// Ctrl-C comes as a key.
    #[derive(Debug)]
    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(crate) async fn next(&mut self) -> Asked {
            let _ = tokio::signal::ctrl_c().await;
            Asked::End
        }
    }

    /// There is no job control.
    pub(crate) fn stop() {}
}

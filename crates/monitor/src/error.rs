//! Why the monitor ended by itself.

use std::io;

/// Why the monitor ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The terminal cannot be drawn on.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
    /// A part of the program has panicked; its message was printed.
    #[error("a part of the monitor has ended; the message above says where")]
    Ended,
}

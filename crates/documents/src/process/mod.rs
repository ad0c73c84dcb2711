//! Programs that read what others wrote: how they are started, limited and ended.

mod become_program;
mod confine;
mod environment;
mod group;
mod program;

pub(crate) use become_program::{NOT_FOUND, become_program};
pub(crate) use confine::{allow_processor_time, confine};
pub(crate) use environment::clear_environment;
pub(crate) use group::{ends_by_itself, in_own_group, kill_group};
pub use program::{ReaderLimits, ReaderProgram};

//! `compartment front`: one URL for programs, a database for each purpose.

mod explain;
mod passwords;
mod routes;
mod serve;
mod shown;
mod sockets;
mod traffic;

use super::on_runtime;
use crate::args::{Front, General};
use crate::exit_code::{CliError, ExitCode};

pub(crate) fn run(general: &General, command: &Front) -> Result<ExitCode, CliError> {
    match &command.explain {
        Some(key) => explain::run(general, key, &command.program, command.json),
        None => on_runtime(serve::run(general, command)),
    }
}

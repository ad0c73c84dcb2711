//! `compartment front`: one URL for programs, a database for each purpose.

mod explain;
mod routes;

use crate::args::{Front, General};
use crate::exit_code::{CliError, ExitCode};

pub(crate) fn run(general: &General, command: &Front) -> Result<ExitCode, CliError> {
    explain::run(general, &command.explain, &command.program, command.json)
}

//! Shell completions and the manual page.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Arguments;
use crate::exit_code::{CliError, ExitCode};
use crate::screen;

/// Prints the completions of `shell`.
pub(crate) fn completions(shell: Shell) -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "compartment", &mut text);
    print(&text)
}

/// Prints the manual page in roff, for `man -l -`.
pub(crate) fn manual() -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut text).map_err(|error| {
        CliError::new(ExitCode::Other, format!("the manual page could not be made: {error}"))
    })?;
    for command in Arguments::command().get_subcommands() {
        let _ = clap_mangen::Man::new(command.clone()).render_synopsis_section(&mut text);
        let _ = clap_mangen::Man::new(command.clone()).render_description_section(&mut text);
        let _ = clap_mangen::Man::new(command.clone()).render_options_section(&mut text);
    }
    print(&text)
}

fn print(text: &[u8]) -> Result<ExitCode, CliError> {
    match screen::print_own(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::new(ExitCode::Files, format!("cannot print: {error}")))
        }
        _ => Ok(ExitCode::Success),
    }
}

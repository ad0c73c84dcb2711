//! The `compartment` command line.

mod args;
mod commands;
mod exit_code;
mod interrupt;
mod key_progress;
mod places;
mod plans;
mod progress_bars;
mod screen;
mod settings;
mod singles;
mod table;

use clap::Parser;

fn main() -> std::process::ExitCode {
    let arguments = args::Arguments::parse();
    match commands::run(arguments) {
        Ok(code) => code.into(),
        Err(error) => {
            screen::complain(&error);
            error.code().into()
        }
    }
}

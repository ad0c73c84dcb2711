//! The `compartment` command line.

mod args;
mod commands;
mod configuration_file;
mod exit_code;
mod interrupt;
mod key_progress;
mod log;
mod passwords;
mod places;
mod progress_bars;
mod reading;
mod screen;
mod services;
mod settings;
mod singles;
mod table;
mod terminal;
#[cfg(feature = "otel")]
mod traces;
mod usage;

use clap::Parser;

fn main() -> std::process::ExitCode {
    // First of all: this process then reads documents of others and needs nothing else of the program.
    if let Some(code) = reading::serve() {
        return code.into();
    }
    terminal::take_panics();
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return usage::show(&answer).into(),
    };
    match commands::run(arguments) {
        Ok(code) => code.into(),
        Err(error) => {
            screen::complain(&error);
            error.code().into()
        }
    }
}

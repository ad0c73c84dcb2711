//! The `compartment` command line.

mod args;
mod commands;
mod exit_code;
mod interrupt;
mod key_progress;
mod places;
mod plans;
mod progress_bars;
mod reading;
mod screen;
mod settings;
mod singles;
mod table;

use clap::Parser;

use exit_code::ExitCode;

fn main() -> std::process::ExitCode {
    // First of all: this process then reads documents of others and needs nothing else of the program.
    if let Some(code) = reading::serve() {
        return code.into();
    }
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return answered(&answer),
    };
    match commands::run(arguments) {
        Ok(code) => code.into(),
        Err(error) => {
            screen::complain(&error);
            error.code().into()
        }
    }
}

/// Prints clap's help, version or usage error without trailing blanks.
fn answered(answer: &clap::Error) -> std::process::ExitCode {
    let text = answer.render().ansi().to_string();
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    match answer.use_stderr() {
        true => screen::remark(lines.join("\n")),
        false => screen::say(lines.join("\n")),
    }
    match answer.exit_code() {
        0 => ExitCode::Success.into(),
        _ => ExitCode::Usage.into(),
    }
}

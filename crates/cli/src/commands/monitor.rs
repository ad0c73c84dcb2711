//! `compartment monitor`: the terminal dashboard.

use std::io::IsTerminal;

use compartment::database_map::Scheme;
use compartment_monitor::{MonitorError, MonitorOptions};

use super::operations;
use crate::args::{self, Color, General};
use crate::exit_code::{CliError, ExitCode};
use crate::screen;
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Monitor) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let mut instances = settings.map.instances().values();
    if instances.all(|instance| instance.url.scheme() == Scheme::Memory) {
        let what = "the monitor needs a server, but the configuration says memory://, which belongs to one process";
        return Err(CliError::new(ExitCode::Configuration, what)
            .hint("name one with --backend redis://host:port"));
    }
    if !screen::is_terminal() || !std::io::stdin().is_terminal() {
        let what = "the monitor needs a terminal";
        return Err(CliError::new(ExitCode::Usage, what).hint(
            "`compartment stats --watch --json` writes the figures for programs; over ssh use ssh -t",
        ));
    }
    let operations = operations::of_everything(&settings, &command.ledger, &command.state)?;
    let mut options = MonitorOptions::new(command.interval);
    options.has_colors = match general.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => shows_colors(),
    };
    options.is_ascii = !shows_utf_8();
    match compartment_monitor::run(operations, options).await {
        Ok(()) => Ok(ExitCode::Success),
        Err(error @ MonitorError::Terminal(_)) => {
            Err(CliError::new(ExitCode::Files, error.to_string()))
        }
        Err(error) => Err(CliError::new(ExitCode::Other, error.to_string())),
    }
}

/// As <https://no-color.org> has it.
fn shows_colors() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// As the first of these variables that is set says. Where none is, the terminal is not asked for more than ASCII.
#[cfg(unix)]
fn shows_utf_8() -> bool {
    let set =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    let locale = set.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(not(unix))]
fn shows_utf_8() -> bool {
    true
}

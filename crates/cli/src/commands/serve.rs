//! `compartment serve`: the page, its API and the metrics, until it is stopped.

use std::net::SocketAddr;

use compartment_server::{Server, ServerError, ServerOptions, Token};

use super::alerts::Alerts;
use super::{mcp, operations};
use crate::args::{self, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::screen::{self, STRONG};
use crate::{passwords, settings};

/// The variable for the token.
const TOKEN: &str = "COMPARTMENT_TOKEN";

pub(crate) async fn run(general: &General, command: args::Serve) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let operations = operations::of_everything(&settings, &command.ledger, &command.state)?;
    let mut alerts = Alerts::of(&settings)?;
    // A map without a server is told now, and not in a log.
    operations.deployment().await?;
    let mut options = ServerOptions::default();
    options.listen = SocketAddr::new(command.listen, command.port);
    options.token = token(&command)?;
    options.hosts.clone_from(&command.hosts);
    options.allows_changes = !command.read_only;
    options.interval = command.interval;
    options.agents = mcp::change_options(&command.agents)?;
    options.plan_folder.clone_from(&command.plan_folder);
    let can_change = options.token.is_some() && options.allows_changes;
    let server = Server::bind(operations, options).await.map_err(failed)?;
    screen::remark(format!("{STRONG}http://{}{STRONG:#}  Ctrl-C ends it", server.address()));
    if !can_change {
        screen::remark("it only shows: changes need --token-file FILE");
    }
    let looks = server.looks();
    tokio::select! {
        () = server.run(interrupted()) => {}
        () = alerts.follow(looks) => {}
    }
    alerts.finish().await;
    Ok(ExitCode::Success)
}

fn token(command: &args::Serve) -> Result<Option<Token>, CliError> {
    let text = match &command.token_file {
        Some(path) => Some(passwords::secret_in(path, "token")?),
        None => std::env::var(TOKEN).ok().filter(|text| !text.is_empty()),
    };
    text.map(|text| Token::new(&text)).transpose().map_err(failed)
}

fn failed(error: ServerError) -> CliError {
    let is_taken = matches!(error, ServerError::Listen { .. });
    let told = CliError::new(ExitCode::Configuration, error.to_string());
    if is_taken { told.hint("--port names another, --listen another address") } else { told }
}

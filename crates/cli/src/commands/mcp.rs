//! `compartment mcp`: serves agents over standard input and output, which carry the protocol only.

use compartment_mcp::{McpServer, serve_stdio};
use compartment_operations::changes::{Allowed, ChangeOptions, Changes};

use super::operations;
use crate::args::{self, AgentChanges, General};
use crate::exit_code::{CliError, ExitCode};
use crate::interrupt::interrupted;
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Mcp) -> Result<ExitCode, CliError> {
    let settings = settings::load(general)?;
    let operations = operations::of_everything(&settings, &command.ledger, &command.state)?;
    let options = change_options(&command.agents)?;
    let changes = Changes::new(operations, options);
    let serving = serve_stdio(McpServer::new(changes.clone()));
    tokio::select! {
        served = serving => {
            served.map_err(|error| CliError::new(ExitCode::Other, error.to_string()))?;
            Ok(ExitCode::Success)
        }
        () = interrupted() => {
            changes.settled().await;
            Ok(ExitCode::Interrupted)
        }
    }
}

/// The changes that agents may make: all, unless tiers are named; and the folder for backups, as it really is.
pub(super) fn change_options(agents: &AgentChanges) -> Result<ChangeOptions, CliError> {
    let mut options = ChangeOptions::new(match (agents.allow_changes, agents.allow.as_slice()) {
        (false, _) => Allowed::none(),
        (true, []) => Allowed::all(),
        (true, tiers) => Allowed::of(tiers.iter().copied()),
    });
    if let Some(folder) = &agents.backup_folder {
        let found = folder.canonicalize();
        let found = found.map_err(|error| CliError::files("use the folder", folder, &error))?;
        if !found.is_dir() {
            let what = format!("{} is not a folder", folder.display());
            return Err(CliError::new(ExitCode::Files, what).hint("create it, or name another one"));
        }
        options.backup_folder = Some(found);
    }
    Ok(options)
}

//! Plans that are about a place: those that are named, and those that lie where plans are written.

use std::path::{Path, PathBuf};

use compartment_admin::{Place, Plan};

use crate::exit_code::{CliError, ExitCode};
use crate::places;
use crate::settings::Settings;

/// What a plan begins with as it is written; what has been edited since may not.
const FIRST_WORDS: &str = "# A plan of `compartment plan`";
/// A larger file is no plan that anybody reads.
const LARGEST: u64 = 64 << 20;

/// Reads a plan.
pub(crate) fn read(path: &Path) -> Result<Plan, CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| CliError::files("read", path, &error))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Plan, CliError> {
    Plan::parse(text)
        .map_err(|problem| CliError::new(ExitCode::Files, format!("{}: {problem}", path.display())))
}

/// The plans whose database has `place`'s server and index: the `named` ones, and those in the
/// working folder and beside the configuration.
pub(crate) async fn about(
    settings: &Settings,
    place: &Place,
    named: &[PathBuf],
) -> Result<Vec<(String, Plan)>, CliError> {
    let mut plans = Vec::new();
    for path in named {
        plans.push((path.clone(), read(path)?));
    }
    for path in lying_about(settings) {
        if !named.contains(&path)
            && let Some(plan) = read_if_plan(&path)?
        {
            plans.push((path, plan));
        }
    }
    let mut found = Vec::new();
    for (path, plan) in plans {
        if plan.source.index == place.index() && is_of_server(settings, place, &plan).await {
            found.push((path.display().to_string(), plan));
        }
    }
    Ok(found)
}

/// Files that may be plans, in order.
fn lying_about(settings: &Settings) -> Vec<PathBuf> {
    let beside = settings.file.as_ref().and_then(|file| file.parent());
    let mut folders = vec![PathBuf::new()];
    folders.extend(beside.filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned));
    let mut paths = Vec::new();
    for folder in folders {
        let read = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        // A folder that cannot be listed has no plan that this user has written.
        let entries = std::fs::read_dir(read).into_iter().flatten().flatten();
        paths.extend(entries.map(|entry| folder.join(entry.file_name())));
    }
    paths.retain(|path| {
        path.extension().is_some_and(|extension| extension == "toml")
            && path.metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST)
    });
    paths.sort();
    paths.dedup();
    paths
}

/// A plan, if it is one. One that cannot be read any more is an error: what stays by it is not
/// known.
fn read_if_plan(path: &Path) -> Result<Option<Plan>, CliError> {
    // Other files are none of our business, whatever they are.
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    match parse(path, &text) {
        Ok(plan) => Ok(Some(plan)),
        Err(error) if text.starts_with(FIRST_WORDS) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether a plan is for the server of `place`. One that cannot be reached is another.
async fn is_of_server(settings: &Settings, place: &Place, plan: &Plan) -> bool {
    let source = &plan.source;
    if place.server().url().to_string() == source.server {
        return true;
    }
    match places::of_server(settings, &source.server, source.index).await {
        // Where neither tells, the plan is rather taken into account than passed over.
        Ok(planned) => place.is_on_server_of(&planned).await.unwrap_or(true),
        Err(_) => false,
    }
}

//! Finds the plans about a place: those named by the user, and those in the usual folders.

use std::io::Read;
use std::path::{Path, PathBuf};

use compartment::database_map::InstanceUrl;
use compartment_admin::{Place, Plan};

use crate::exit_code::{CliError, ExitCode};
use crate::places;
use crate::settings::Settings;

/// The first words of a plan file as written; an edited plan may begin differently.
const FIRST_WORDS: &str = "# A plan of `compartment plan`";
/// Largest file that is read as a plan, in bytes.
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

/// The plans for `place`'s server and index: the `named` ones, and those in the working folder and beside the
/// configuration.
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
        let is_about_it = plan.source.index == place.index()
            && is_of_server(settings, place, &path, &plan).await?;
        if is_about_it {
            found.push((path.display().to_string(), plan));
        } else if named.contains(&path) {
            return Err(CliError::new(
                ExitCode::Configuration,
                format!(
                    "{} is a plan for index {} of {}, but this database is {place}",
                    path.display(),
                    plan.source.index,
                    plan.source.server
                ),
            ));
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
        // A folder that cannot be listed cannot hold a plan written by this user.
        let entries = std::fs::read_dir(read).into_iter().flatten().flatten();
        paths.extend(entries.map(|entry| folder.join(entry.file_name())));
    }
    paths.retain(|path| {
        let may_be_read = path.metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
        may_be_read
            && (path.extension().is_some_and(|ending| ending == "toml") || begins_as_plan(path))
    });
    paths.sort();
    paths.dedup();
    paths
}

/// Whether a file begins with a plan's first words, whatever its name.
fn begins_as_plan(path: &Path) -> bool {
    let mut start = [0; FIRST_WORDS.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == FIRST_WORDS.as_bytes()
}

/// Reads a plan, if the file is one. A damaged plan is an error, because the keys it leaves in place are unknown.
fn read_if_plan(path: &Path) -> Result<Option<Plan>, CliError> {
    // Files that are not text are not plans.
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    match parse(path, &text) {
        Ok(plan) => Ok(Some(plan)),
        Err(error) if text.starts_with(FIRST_WORDS) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether a plan is for the server of `place`, as identified by the server.
///
/// # Errors
/// [`ExitCode::Unsafe`] if the plan's server cannot be reached: it may be this one.
async fn is_of_server(
    settings: &Settings,
    place: &Place,
    path: &Path,
    plan: &Plan,
) -> Result<bool, CliError> {
    let source = &plan.source;
    if place.server().url().to_string() == source.server {
        return Ok(true);
    }
    let planned = match places::of_server(settings, &source.server, source.index).await {
        Ok(planned) => Ok(planned),
        // The plan hides its password, so the login of `place` is tried.
        Err(error) => match InstanceUrl::parse(&source.server) {
            Ok(url) => {
                let url = url.with_login_of(place.server().url());
                let instance = places::with_url(settings, url).await?;
                let server = places::connect(&instance).await;
                server.map(|server| Place::new("the plan's", server, source.index))
            }
            Err(_) => Err(error),
        },
    };
    let is_same = match planned {
        Ok(planned) => place.is_on_server_of(&planned).await.map_err(CliError::from),
        Err(error) => Err(error),
    };
    is_same.map_err(|error| {
        CliError::new(
            ExitCode::Unsafe,
            format!(
                "{} may be a plan for this database, but its server {} did not answer: {error}; move the \
                 file away if the plan is for another database",
                path.display(),
                source.server
            ),
        )
    })
}

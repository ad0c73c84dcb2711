//! Finds the plans about a place: those named by the user, and those in the usual folders.

use std::io::Read;
use std::path::{Path, PathBuf};

use compartment_core::{DatabaseMap, InstanceUrl};

use crate::{AdminError, Place, Plan, Result, places};

/// The first words of a plan file as written; an edited plan may begin differently.
const FIRST_WORDS: &str = "# A plan of `compartment plan`";
/// Largest file that is read as a plan, in bytes.
const LARGEST: u64 = 64 << 20;

/// Reads a plan.
///
/// # Errors
/// The file's; [`AdminError::BadFile`] if it is no plan.
pub fn read(path: &Path) -> Result<Plan> {
    parse(path, &std::fs::read_to_string(path).map_err(AdminError::file("read", path))?)
}

fn parse(path: &Path, text: &str) -> Result<Plan> {
    Plan::parse(text).map_err(|problem| AdminError::BadFile {
        path: path.to_owned(),
        problem: problem.to_string(),
    })
}

/// The plans for `place`'s server and index: the `named` ones, and those in the working folder and beside the
/// configuration `file`.
///
/// # Errors
/// [`AdminError::Invalid`] for a named plan of another database, [`AdminError::Unsafe`] for a plan whose server does not
/// answer; the files'.
pub async fn about(
    map: &DatabaseMap,
    file: Option<&Path>,
    place: &Place,
    named: &[PathBuf],
) -> Result<Vec<(String, Plan)>> {
    let mut plans = Vec::new();
    for path in named {
        plans.push((path.clone(), read(path)?));
    }
    for path in lying_about(file) {
        if !named.contains(&path)
            && let Some(plan) = read_if_plan(&path)?
        {
            plans.push((path, plan));
        }
    }
    let mut found = Vec::new();
    for (path, plan) in plans {
        let is_about_it =
            plan.source.index == place.index() && is_of_server(map, place, &path, &plan).await?;
        if is_about_it {
            found.push((path.display().to_string(), plan));
        } else if named.contains(&path) {
            return Err(AdminError::Invalid(format!(
                "{} is a plan for index {} of {}, but this database is {place}",
                path.display(),
                plan.source.index,
                plan.source.server
            )));
        }
    }
    Ok(found)
}

/// Files that may be plans, in order.
fn lying_about(file: Option<&Path>) -> Vec<PathBuf> {
    let beside = file.and_then(Path::parent);
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
fn read_if_plan(path: &Path) -> Result<Option<Plan>> {
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
/// [`AdminError::Unsafe`] if the plan's server cannot be reached: it may be this one.
async fn is_of_server(map: &DatabaseMap, place: &Place, path: &Path, plan: &Plan) -> Result<bool> {
    let source = &plan.source;
    if place.server().url().to_string() == source.server {
        return Ok(true);
    }
    let planned = match places::of_server(map, &source.server, source.index).await {
        Ok(planned) => Ok(planned),
        // The plan hides its password, so the login of `place` is tried.
        Err(error) => match InstanceUrl::parse(&source.server) {
            Ok(url) => {
                let url = url.with_login_of(place.server().url());
                let instance = places::with_url(map, url).await?;
                let server = places::connect(&instance).await;
                server.map(|server| Place::new("the plan's", server, source.index))
            }
            Err(_) => Err(error),
        },
    };
    let is_same = match planned {
        Ok(planned) => place.is_on_server_of(&planned).await.map_err(AdminError::from),
        Err(error) => Err(error),
    };
    is_same.map_err(|error| {
        AdminError::Unsafe(format!(
            "{} may be a plan for this database, but its server {} did not answer: {error}; move the \
             file away if the plan is for another database",
            path.display(),
            source.server
        ))
    })
}

//! Plans of separations, as `compartment plan` writes them.

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use compartment_admin::Plan;
use serde::Serialize;

use super::{Answer, answer};
use crate::state::Shared;

/// The largest file that is read as a plan, in bytes.
const LARGEST: u64 = 1 << 20;
/// Files that are looked at.
const MOST_FILES: usize = 100;

#[derive(Debug, Default, Serialize)]
pub(crate) struct PlanFiles {
    /// Whether the server was started with a folder of plans.
    has_folder: bool,
    plans: Vec<PlanFile>,
}

/// A file, and its plan, or why it cannot be read.
#[derive(Debug, Serialize)]
pub(crate) struct PlanFile {
    file: String,
    plan: Option<Plan>,
    problem: Option<String>,
}

/// `GET /api/plans`
pub(crate) async fn plans(State(shared): State<Arc<Shared>>) -> Answer<PlanFiles> {
    let Some(folder) = shared.options.plan_folder.clone() else {
        return answer(PlanFiles::default());
    };
    let read = tokio::task::spawn_blocking(move || read(&folder));
    answer(PlanFiles { has_folder: true, plans: read.await.unwrap_or_default() })
}

/// The files of the folder that end in `.toml`, by name. Only regular files are read: a link may lead elsewhere.
fn read(folder: &Path) -> Vec<PlanFile> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_plan = |entry: &std::fs::DirEntry| {
        let path = entry.path();
        path.extension().is_some_and(|end| end == "toml")
            && entry.file_type().is_ok_and(|form| form.is_file())
            && entry.metadata().is_ok_and(|about| about.len() <= LARGEST)
    };
    let mut paths: Vec<_> = entries.filter(is_plan).map(|entry| entry.path()).collect();
    paths.sort();
    paths.truncate(MOST_FILES);
    paths.iter().filter_map(|path| read_one(path)).collect()
}

/// `None` for a file that does not look like a plan at all, such as a configuration.
fn read_one(path: &Path) -> Option<PlanFile> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            return Some(PlanFile { file, plan: None, problem: Some(error.to_string()) });
        }
    };
    if !text.contains("[source]") {
        return None;
    }
    match Plan::parse(&text) {
        Ok(plan) => Some(PlanFile { file, plan: Some(plan), problem: None }),
        Err(error) => Some(PlanFile { file, plan: None, problem: Some(error.to_string()) }),
    }
}

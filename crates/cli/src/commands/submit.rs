//! `compartment submit`: submits a single task.

use compartment::database_map::Role;
use compartment::pipeline::TaskData;
use compartment::queue::QueueStoreExt;
use compartment_documents::IngestOptions;
use compartment_documents::batch::{DocumentEntry, pipeline};
use compartment_documents::files::Found;
use serde_json::json;

use super::{batch, operations};
use crate::args::{General, Submit};
use crate::exit_code::{CliError, ExitCode};
use crate::screen::{self, GOOD};
use crate::settings;

pub(crate) async fn run(general: &General, command: Submit) -> Result<ExitCode, CliError> {
    let databases = batch::open(&operations::of_work(&settings::load(general)?, None)?).await?;
    let entry = entry(&command).await?;
    let pipeline = pipeline(&databases, &IngestOptions::default())?;
    let mut data = TaskData::new(&command.stage, entry.to_json());
    data.version.clone_from(&command.stage_version);
    let store = databases.role(Role::Batch)?;
    let (queue, task) = pipeline.task(&data)?;
    let mut task = task.class(command.class.into()).delay(command.delay.unwrap_or_default());
    task.deduplication_key.clone_from(&command.once);
    let submitted = store.queue().submit_one(&queue, task).await?;
    if command.json {
        let task = submitted.id.number();
        let told = json!({"queue": queue, "task": task, "is_new": submitted.is_new});
        screen::say_json_line(&told);
    } else if submitted.is_new {
        screen::say(format!("task {GOOD}{}{GOOD:#} waits in queue {queue}", submitted.id));
    } else {
        screen::say(format!(
            "task {} with that key is already waiting or in progress",
            submitted.id
        ));
    }
    Ok(ExitCode::Success)
}

/// The document to submit: a file, or the data given on the command line.
async fn entry(command: &Submit) -> Result<DocumentEntry, CliError> {
    let (file, data) = (command.file.clone(), command.data.clone().unwrap_or_default());
    let read = tokio::task::spawn_blocking(move || match file {
        Some(path) => DocumentEntry::of(&Found::at(path)),
        // The user's own path, which needs no folders of documents.
        None if data.starts_with('/') => DocumentEntry::of(&Found::at(data.into())),
        None => DocumentEntry::from_json(data.as_bytes()),
    });
    let read = read.await.map_err(|error| CliError::new(ExitCode::Other, error.to_string()))?;
    read.map_err(|error| {
        let file = command.file.as_ref().map(|path| format!("{}: ", path.display()));
        CliError::new(ExitCode::Files, file.unwrap_or_default() + &error.message)
    })
}

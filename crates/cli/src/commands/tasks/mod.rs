//! `compartment tasks`: rows of the ledger, and dead letters of queues.

mod dead_letters;
mod list;
mod show;

pub(super) use list::{name_of, task_as_json, took};

use compartment::Databases;
use compartment_documents::IngestOptions;
use compartment_documents::batch::pipeline;

use super::batch;
use crate::args::{self, General, TasksCommand};
use crate::exit_code::{CliError, ExitCode};
use crate::settings;

pub(crate) async fn run(general: &General, command: args::Tasks) -> Result<ExitCode, CliError> {
    let databases = batch::open(settings::load(general)?.map).await?;
    match command.command {
        TasksCommand::List(command) => list::run(&databases, &command).await,
        TasksCommand::Show(command) => show::run(&databases, &command).await,
        TasksCommand::Replay(command) => dead_letters::replay(&databases, &command).await,
        TasksCommand::Purge(command) => dead_letters::purge(&databases, &command).await,
    }
}

/// The queue of one stage, or of every stage, each with its stage.
fn queues(databases: &Databases, stage: Option<&str>) -> Result<Vec<(String, String)>, CliError> {
    let pipeline = pipeline(databases, &IngestOptions::default())?;
    let stages: Vec<String> = pipeline.stages().map(str::to_owned).collect();
    if let Some(stage) = stage
        && !stages.iter().any(|known| known == stage)
    {
        let what = format!("there is no stage {stage:?}; there are {}", stages.join(", "));
        return Err(CliError::new(ExitCode::Configuration, what));
    }
    let all = stages.into_iter().enumerate();
    let wanted = all.filter(|(_, known)| stage.is_none_or(|stage| stage == known));
    let queues = wanted.filter_map(|(place, known)| Some((known, pipeline.queue_of(place)?)));
    Ok(queues.collect())
}

//! `fleet`: real documents through all stages, by one worker process and by two.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use clap::Args;
use compartment::batch::BatchStatus;
use compartment::pipeline::{
    BatchOptions, Patience, Progress, Silent, Submission, Worker, WorkerOptions,
};
use compartment::{DatabaseMap, Databases, Preset};
use compartment_documents::IngestOptions;
use compartment_documents::batch::{engine, pipeline, submit_files};
use compartment_documents::files::{Links, discover};
use compartment_testkit::TestRedis;
use serde::Serialize;

use crate::documents::repeat;
use crate::measure::Failure;
use crate::measure::corpus::corpus;
use crate::measure::section::Measured;

const NAME: &str = "corpus";
/// Enough documents that the end of the run, with fewer in parallel, does not matter.
const DOCUMENTS: usize = 1_000;

/// Arguments of a worker process.
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    url: String,
}

/// Runs a worker with a concurrency of one until the batch is over.
pub(crate) fn work(args: &WorkerArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let databases = open(&args.url).await?;
        let mut options = IngestOptions::default();
        options.concurrency = 1;
        let progress = Progress::new(std::sync::Arc::new(Silent));
        let engine = engine(&databases, &options, progress).await?;
        let options = WorkerOptions::default().concurrency(1).until_finished(NAME);
        let batch = databases.get("batch")?;
        let worker = Worker::new(batch, vec![engine], options, patience());
        worker.run(std::future::pending()).await?;
        Ok(())
    })
}

#[derive(Debug, Serialize)]
struct Run {
    workers: usize,
    documents: u64,
    dead: u64,
    seconds: f64,
    documents_per_second: f64,
}

/// Takes new copies of the corpus through all stages each time.
pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let (corpus, documents) = (corpus(), if quick { DOCUMENTS / 10 } else { DOCUMENTS });
    let corpus = corpus.as_path();
    let folder = tempfile::tempdir()?;
    let bytes = repeat(corpus, folder.path(), documents)?;
    let server = TestRedis::start().await;
    let mut runs: Vec<Run> = Vec::new();
    for workers in [1, 2] {
        server.command(&["FLUSHALL"]).await;
        runs.push(turn(&server.url(), folder.path(), workers).await?);
    }
    let mut text = format!(
        "{documents} documents of {}, {:.1} MB, through five stages\n",
        corpus.display(),
        bytes as f64 / 1e6
    );
    for run in &runs {
        text += &format!(
            "{} worker processes: {:.1} documents/s ({} done or dead, {} dead, {:.0} s)\n",
            run.workers, run.documents_per_second, run.documents, run.dead, run.seconds
        );
    }
    if let [one, two] = runs.as_slice() {
        text += &format!(
            "two against one: {:.2}\n",
            two.documents_per_second / one.documents_per_second
        );
    }
    Measured::new(text, &runs)
}

async fn turn(url: &str, folder: &Path, workers: usize) -> Result<Run, Failure> {
    let databases = open(url).await?;
    let batch = databases.get("batch")?;
    let pipeline = pipeline(&databases, &IngestOptions::default())?;
    let how = BatchOptions::default();
    let mut submission = Submission::begin(batch, NAME, &pipeline, &how, patience()).await?;
    let found = discover(&[folder.to_owned()], Links::Inside);
    submit_files(&mut submission, found.files, &found.roots, |_| {}).await?;
    submission.seal().await?;
    let started = Instant::now();
    let mut processes =
        (0..workers).map(|_| start(url)).collect::<Result<Vec<Child>, Failure>>()?;
    let progress = loop {
        let progress = batch.batch().progress(NAME).await?.ok_or("the batch went away")?;
        if progress.status == BatchStatus::Completed {
            break progress;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let seconds = started.elapsed().as_secs_f64();
    for process in &mut processes {
        process.wait()?;
    }
    let documents = progress.done + progress.dead;
    let documents_per_second = documents as f64 / seconds;
    Ok(Run { workers, documents, dead: progress.dead, seconds, documents_per_second })
}

fn start(url: &str) -> Result<Child, Failure> {
    Ok(Command::new(std::env::current_exe()?).args(["batches-worker", url]).spawn()?)
}

async fn open(url: &str) -> Result<Databases, Failure> {
    Ok(compartment::open(DatabaseMap::preset(Preset::Pipeline, url)?).await?)
}

fn patience() -> Patience {
    Patience::waiting(Duration::from_secs(60))
}

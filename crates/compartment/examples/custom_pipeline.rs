//! A pipeline of one's own: two stages over a batch, and work at its completion. It runs in memory; over
//! `redis://…` any number of such programs share the batch.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use compartment::pipeline::{
    BatchOptions, Engine, Patience, Pipeline, Stage, StageError, StageOptions, Submission, Worker,
    WorkerOptions,
};
use compartment::{DatabaseMap, KeyTemplate, Preset};
use futures_util::TryStreamExt;

/// Counts the words of a text.
struct CountWords;

impl Stage for CountWords {
    type Input = String;
    type Output = usize;
    fn name(&self) -> &'static str {
        "count"
    }
    fn version(&self) -> String {
        "1".into() // raised when a text would count differently: kept results are then made again
    }
    fn template(&self) -> KeyTemplate<usize> {
        KeyTemplate::new("word_count", "doc:words:{document}:{version}", "cache")
    }
    fn run(&self, text: &String) -> Result<usize, StageError> {
        match text.split_whitespace().count() {
            0 => Err(StageError::new("empty", "there is nothing to count")),
            words => Ok(words),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let databases = compartment::open(DatabaseMap::preset(Preset::Pipeline, "memory://")?).await?;
    let mut builder = Pipeline::builder("words");
    let options = StageOptions::default().max_attempts(3).timeout(Duration::from_secs(10));
    let count =
        builder.stage(CountWords, options, (), |document, ()| Ok(document.text()?.to_owned()));
    builder.at_completion(move |batch| async move {
        let (dead, mut documents) = (batch.dead().await?, batch.documents());
        while let Some(document) = documents.try_next().await? {
            if !dead.contains(&document.ordinal()) {
                println!("{:?}: {} words", document.name(), batch.value(count, &document).await?);
            }
        }
        Ok(())
    });
    let pipeline = builder.build()?;

    let (batch, patience) = (databases.get("batch")?, Patience::waiting(Duration::from_secs(60)));
    let (how, wait) = (BatchOptions::default(), patience.clone());
    let mut submission = Submission::begin(batch, "b", &pipeline, &how, wait).await?;
    for text in ["to be or not to be", "", "the rest is silence"] {
        submission.push(text).await?;
    }
    submission.seal().await?;

    let engine = Engine::open(pipeline, &databases).await?;
    let options = WorkerOptions::default().until_finished("b");
    let worker = Worker::new(batch, vec![engine], options, patience);
    let report = worker.run(std::future::pending()).await?;
    println!("{} done, {} failed", report.done, report.failed);
    Ok(())
}

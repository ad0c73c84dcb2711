//! `engine`: a worker over a pipeline whose stage does nothing, with and without the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_cache::{Cache, CacheOptions};
use compartment_core::backend::Backend;
use compartment_core::{Clock, DatabaseMap, Databases, Instance, KeyTemplate, Preset, SystemClock};
use compartment_pipeline::ledger::{Ledger, LedgerMirror};
use compartment_pipeline::{
    BatchOptions, Engine, EngineOptions, Patience, Pipeline, Silent, Stage, StageError,
    StageOptions, Submission, Worker, WorkerOptions,
};
use compartment_redis::{RedisBackend, RedisConfig};
use compartment_testkit::TestRedis;
use futures_util::FutureExt;
use serde::Serialize;

use super::ours::id;
use super::server::{Line, Spent, Turn, spent, table, take_turns};
use crate::measure::Failure;
use crate::measure::section::Measured;
use crate::measure::statistics::short;

const DOCUMENTS: usize = 100_000;
/// Documents of a turn in which each result is stored on the server.
const FEWER: usize = 20_000;
const ROUNDS: usize = 3;
const NAME: &str = "papers";
/// Calls of the stage in a plain loop.
const CALLS: u32 = 2_000_000;

/// A stage that does nothing.
struct Nothing;

impl Stage for Nothing {
    type Input = String;
    type Output = u32;

    fn name(&self) -> &'static str {
        "nothing"
    }

    fn version(&self) -> String {
        "1".into()
    }

    fn template(&self) -> KeyTemplate<u32> {
        KeyTemplate::new("nothing", "nothing:{subject}:{version}", "cache")
    }

    fn run(&self, input: &String) -> Result<u32, StageError> {
        u32::try_from(std::hint::black_box(input).len())
            .map_err(|_| StageError::new("too_long", "the id is too long"))
    }
}

/// The databases and the folder of a worker.
struct Place {
    databases: Databases,
    folder: std::path::PathBuf,
}

/// The setup of a worker.
#[derive(Clone, Copy)]
struct How {
    is_kept: bool,
    has_ledger: bool,
    places: usize,
}

#[derive(Debug, Serialize)]
struct Orchestration {
    lines: Vec<Line>,
    /// Time of one call of the stage in a loop, in nanoseconds.
    call_nanos: f64,
}

pub(super) async fn measure(quick: bool) -> Result<Measured, Failure> {
    let share = if quick { 5 } else { 1 };
    let server = TestRedis::start().await;
    let place = Place { databases: databases(&server.url()).await?, folder: server.folder() };
    let of = |how: How| -> Turn<'_> {
        let (server, place) = (&server, &place);
        Box::new(move |count| turn(server, place, how, count).boxed_local())
    };
    let plain = How { is_kept: false, has_ledger: false, places: 2 };
    let (ledger, kept) = (How { has_ledger: true, ..plain }, How { is_kept: true, ..plain });
    let contenders = vec![
        ("worker", DOCUMENTS / share, of(plain)),
        ("worker and ledger in SQLite", DOCUMENTS / share, of(ledger)),
        ("worker, results kept", FEWER / share, of(kept)),
        ("the same with 32 places", FEWER / share, of(How { places: 32, ..kept })),
    ];
    let lines = take_turns(ROUNDS, 0, contenders).await?;
    let began = Instant::now();
    for document in 0..CALLS {
        let _ = std::hint::black_box(Nothing.run(&id(document % 100)));
    }
    let call_nanos = began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS);
    let title = "One worker, one stage that does nothing";
    let text = table(title, &lines)
        + &format!("the stage called in a loop: {} ns a document\n", short(call_nanos));
    Measured::new(text, &Orchestration { lines, call_nanos })
}

async fn databases(url: &str) -> Result<Databases, Failure> {
    let map = DatabaseMap::preset(Preset::Pipeline, url)?;
    let config = RedisConfig::for_instance(&Instance::new(url)?, 6);
    let backend: Arc<dyn Backend> =
        Arc::new(RedisBackend::connect(config, &[0, 1, 2, 3, 4, 5]).await?);
    Ok(Databases::open(map, &BTreeMap::from([("primary".to_owned(), backend)])).await?)
}

/// Processes a batch; with a ledger, waits until it has every row.
async fn turn(
    server: &TestRedis,
    place: &Place,
    how: How,
    documents: usize,
) -> Result<Spent, Failure> {
    let How { is_kept, has_ledger, places } = how;
    server.command(&["FLUSHALL"]).await;
    let databases = &place.databases;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let patience = Patience::new(Duration::from_secs(10), Arc::clone(&clock), Arc::new(Silent));
    let options = if is_kept { StageOptions::default() } else { StageOptions::default().inline() };
    let mut builder = Pipeline::builder("nothing");
    builder.stage(Nothing, options, (), |document, ()| Ok(document.text()?.to_owned()));
    let pipeline = builder.build()?;
    let batch = databases.get("batch")?;
    let kept = BatchOptions::default();
    let kept = kept.outbox(has_ledger);
    let mut submission = Submission::begin(batch, NAME, &pipeline, &kept, patience.clone()).await?;
    for document in 0..u32::try_from(documents)? {
        submission.push(id(document)).await?;
    }
    submission.seal().await?;
    let cache =
        Cache::open(databases.get("cache")?, CacheOptions::for_map(databases.map())).await?;
    let engine = EngineOptions::default().concurrency(places).clock(Arc::clone(&clock));
    let engine = Engine::new(pipeline, databases, cache, engine);
    let mut options = WorkerOptions::default();
    options.concurrency = places;
    options.batches = Some(vec![NAME.to_owned()]);
    options.until_finished = true;
    let worker = Worker::new(batch, vec![engine], options, patience);
    let file = place.folder.join("ledger.sqlite");
    let ledger = Ledger::at(&format!("sqlite://{}", file.display()))?;
    if has_ledger {
        ledger.open().await?;
    }
    let spent = spent(server, async {
        let mirror = LedgerMirror::new(batch.clone(), ledger.clone());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mirrored = async {
            if has_ledger {
                mirror.run(async { drop(stopped.await) }).await;
            }
        };
        let worked = async {
            let report = worker.run(std::future::pending()).await;
            drop(stop);
            report
        };
        let (report, ()) = tokio::join!(worked, mirrored);
        let done = report?.done;
        if done != documents as u64 {
            return Err(format!("{done} of {documents} documents are done").into());
        }
        match batch.batch_upkeep().outbox_len(NAME).await? {
            0 => Ok(()),
            left => Err(format!("{left} entries are not in the ledger").into()),
        }
    })
    .await?;
    ledger.close().await;
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
    Ok(spent)
}

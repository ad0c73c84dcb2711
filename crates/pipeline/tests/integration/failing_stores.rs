//! Pipeline logic with failing stores, using mocks, without a server.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use compartment_cache::{Cache, CacheOptions};
use compartment_core::backend::{Backend, Capabilities, Stores, Traffic};
use compartment_core::{
    Clock, Contract, Database, DatabaseMap, Databases, Error, ErrorKind, KeyTemplate, ManualClock,
    MockChannelStore, MockHashStore, MockKeyValueStore, Preset, Result, SetOptions,
};
use compartment_memory::MemoryBackend;
use compartment_pipeline::{
    Document, DocumentState, Engine, EngineOptions, Event, Identity, Node, Observer, Origin,
    Patience, Pipeline, PipelineError, Silent, Stage, StageError, StageFigures, StageOptions,
    StageStatus,
};

/// Counts words; panics on one word, and fails on another.
struct WordCount;

impl Stage for WordCount {
    type Input = String;
    type Output = usize;

    fn name(&self) -> &'static str {
        "words"
    }

    fn version(&self) -> String {
        "1".into()
    }

    fn template(&self) -> KeyTemplate<usize> {
        KeyTemplate::new("doc_words", "doc:words:{content_hash}:{version}", "cache")
    }

    fn run(&self, input: &String) -> std::result::Result<usize, StageError> {
        match input.as_str() {
            "" => Err(StageError::new("empty", "there is nothing to count")),
            "panic" => panic!("a bug on this document"),
            text => Ok(text.split_whitespace().count()),
        }
    }
}

/// Opens every database with these mocks.
#[derive(Debug)]
struct MockBackend(Stores);

#[async_trait]
impl Backend for MockBackend {
    async fn open(&self, contract: Contract) -> Result<Database> {
        Ok(Database::new(Arc::new(contract), Arc::new(Traffic::default()), self.0.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    fn location(&self) -> String {
        "mocks".into()
    }
}

async fn databases(key_value: MockKeyValueStore, hash: MockHashStore) -> Databases {
    let mut channel = MockChannelStore::new();
    channel.expect_subscribe().returning(|_| Err(error(ErrorKind::Unavailable)));
    channel.expect_publish().returning(|_, _| Err(error(ErrorKind::Unavailable)));
    let stores = Stores::builder("mocks", Arc::new(key_value))
        .hash(Arc::new(hash))
        .channel(Arc::new(channel))
        .build();
    let backend: Arc<dyn Backend> = Arc::new(MockBackend(stores));
    let map = DatabaseMap::preset(Preset::Pipeline, "memory://").unwrap();
    Databases::open(map, &BTreeMap::from([("primary".to_owned(), backend)])).await.unwrap()
}

/// An engine with one stage, standing for a process.
struct Process {
    engine: Engine,
    words: Node<usize>,
}

impl Process {
    async fn start(databases: &Databases) -> Self {
        Self::with_cache(databases, CacheOptions::default()).await
    }

    async fn with_cache(databases: &Databases, cache: CacheOptions) -> Self {
        let cache = Cache::open(databases.get("cache").unwrap(), cache).await.unwrap();
        let mut builder = Pipeline::builder("words");
        let words = builder.stage(WordCount, StageOptions::default(), (), |document, ()| {
            Ok(document.text()?.to_owned())
        });
        let pipeline = builder.build().unwrap();
        Self { engine: Engine::new(pipeline, databases, cache, EngineOptions::default()), words }
    }

    fn figures(&self) -> StageFigures {
        self.engine.progress().figures().get("words").copied().unwrap_or_default()
    }

    /// The word count of a text; all texts have the hash of one document.
    async fn count(&self, text: &str) -> std::result::Result<(usize, Origin), PipelineError> {
        let before = self.figures();
        let words = *self.engine.value(self.words, &document(text)).await?;
        let is_made = self.figures().computed > before.computed;
        Ok((words, if is_made { Origin::Computed } else { Origin::Cached }))
    }
}

fn document(text: &str) -> Document {
    let entry = Bytes::from(text.to_owned());
    Document::new("", 0, entry, Identity::new("h4sh", "a.txt"))
}

async fn on_memory() -> Databases {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::default());
    let map = DatabaseMap::preset(Preset::Pipeline, "memory://").unwrap();
    Databases::open(map, &BTreeMap::from([("primary".to_owned(), backend)])).await.unwrap()
}

/// A key-value store that always fails.
fn failing(kind: ErrorKind) -> MockKeyValueStore {
    let mut store = MockKeyValueStore::new();
    store.expect_get().returning(move |_| Err(error(kind)));
    store.expect_get_many().returning(move |_| Err(error(kind)));
    store.expect_set().returning(move |_, _, _| Err(error(kind)));
    store.expect_compare_and_set().returning(move |_, _, _, _| Err(error(kind)));
    store
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "get", "staged")
}

#[tokio::test]
async fn a_cached_result_is_taken_and_the_stage_not_run() {
    let databases = on_memory().await;
    let process = Process::start(&databases).await;
    assert!(!process.engine.is_kept(&document("")).await.unwrap());
    assert_eq!(process.count("a b c").await.unwrap(), (3, Origin::Computed));
    // Another process has an empty first tier. If run again, the stage would panic.
    let other = Process::start(&databases).await;
    assert_eq!(other.count("panic").await.unwrap(), (3, Origin::Cached));
    assert!(other.engine.is_kept(&document("")).await.unwrap());
    assert_eq!((other.figures().computed, other.figures().cached), (0, 2));
    // Results are invalidated with their document.
    let _ = other.engine.cache().invalidate_document("h4sh").await;
    assert_eq!(other.count("a b").await.unwrap(), (2, Origin::Computed));
}

#[tokio::test]
async fn a_cache_that_is_away_costs_the_work_and_nothing_else() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::OutOfMemory] {
        let databases = databases(failing(kind), MockHashStore::new()).await;
        let process = Process::start(&databases).await;
        process.engine.check_cache().await.unwrap();
        assert_eq!(process.count("a b c").await.unwrap(), (3, Origin::Computed));
    }
}

#[tokio::test]
async fn a_cache_that_is_off_runs_every_stage() {
    let databases = on_memory().await;
    let off = Process::with_cache(&databases, CacheOptions::default().enabled(false)).await;
    for _ in 0..2 {
        assert_eq!(off.count("a b c").await.unwrap(), (3, Origin::Computed));
    }
    assert!(!off.engine.is_kept(&document("")).await.unwrap());
    assert_eq!(databases.get("cache").unwrap().usage().usage().await.unwrap().keys, 0);
}

#[tokio::test]
async fn a_damaged_cache_entry_is_a_miss_and_is_replaced() {
    let databases = on_memory().await;
    let store = databases.get("cache").unwrap().key_value();
    // Begins like a cache entry.
    let damaged = Bytes::from_static(b"\xC1\xE1 cut off");
    store.set("doc:words:h4sh:1", damaged, SetOptions::default()).await.unwrap();
    let process = Process::start(&databases).await;
    assert_eq!(process.count("a b").await.unwrap(), (2, Origin::Computed));
    let other = Process::start(&databases).await;
    assert_eq!(other.count("a b").await.unwrap(), (2, Origin::Cached));
}

#[tokio::test]
async fn a_value_that_no_cache_wrote_is_the_documents_failure_and_stays() {
    let databases = on_memory().await;
    let store = databases.get("cache").unwrap().key_value();
    let foreign = Bytes::from_static(b"{\"of\": \"another program\"}");
    store.set("doc:words:h4sh:1", foreign.clone(), SetOptions::default()).await.unwrap();
    let failed = Process::start(&databases).await.count("a b").await.unwrap_err();
    let PipelineError::Stage(failed) = failed else { panic!("{failed}") };
    assert_eq!(failed.code, "foreign_value");
    assert_eq!(store.get("doc:words:h4sh:1").await.unwrap(), Some(foreign));
}

#[tokio::test]
async fn a_store_that_refuses_the_program_is_told_before_the_first_document() {
    let databases = databases(failing(ErrorKind::Permission), MockHashStore::new()).await;
    let failed = Process::start(&databases).await.engine.check_cache().await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Permission);
}

#[tokio::test]
async fn two_who_want_the_same_content_work_once() {
    let databases = on_memory().await;
    let (one, other) = (Process::start(&databases).await, Process::start(&databases).await);
    let (first, second) = tokio::join!(one.count("a b c"), other.count("a b c"));
    let origins = [first.unwrap().1, second.unwrap().1];
    assert_eq!(origins.iter().filter(|origin| **origin == Origin::Computed).count(), 1);
}

#[tokio::test]
async fn a_failing_or_panicking_stage_is_that_documents_failure() {
    let process = Process::start(&on_memory().await).await;
    let PipelineError::Stage(failed) = process.count("").await.unwrap_err() else { panic!() };
    assert_eq!(failed.code, "empty");
    let PipelineError::Stage(failed) = process.count("panic").await.unwrap_err() else { panic!() };
    assert_eq!(failed.code, "panicked");
    assert!(failed.message.contains("a bug on this document"), "{failed}");
    process.count("fine").await.unwrap();
    assert_eq!((process.figures().computed, process.figures().failed), (1, 2));
}

#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Observer for Recorder {
    fn event(&self, event: &Event<'_>) {
        let text = match event {
            Event::Waiting { .. } => "waiting".to_owned(),
            Event::Resumed { away } => format!("resumed after {}s", away.as_secs()),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

#[tokio::test]
async fn the_state_of_a_document_waits_for_a_server_that_is_away() {
    let clock = ManualClock::default();
    let asked = Arc::new(AtomicU32::new(0));
    let mut store = MockHashStore::new();
    let (count, time) = (Arc::clone(&asked), clock.clone());
    store.expect_set_fields().returning(move |key, fields, _| {
        assert_eq!(key, "doc:state:h4sh");
        assert!(fields.iter().any(|(f, v)| f == "stage:extract" && v == "done 3"));
        if count.fetch_add(1, Ordering::Relaxed) < 2 {
            time.advance(Duration::from_secs(5));
            return Err(error(ErrorKind::Interrupted));
        }
        Ok(3)
    });
    let databases = databases(MockKeyValueStore::new(), store).await;
    let recorder = Arc::new(Recorder::default());
    let patience =
        Patience::new(Duration::from_secs(60), Arc::new(clock.clone()), recorder.clone());
    let mut state = DocumentState::new("a.pdf");
    state.done("extract", "3");
    state.failed("chunk", &StageError::new("empty", "nothing to cut"));
    let batch = databases.get("batch").unwrap();
    let ticking = clock.clone();
    let ticker = tokio::spawn(async move {
        loop {
            tokio::task::yield_now().await;
            ticking.advance(Duration::from_millis(10));
        }
    });
    state.save(batch, "doc:state:h4sh", &clock, &patience).await.unwrap();
    ticker.abort();
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    let events = recorder.0.lock().unwrap();
    assert_eq!(events[..2], ["waiting", "waiting"]);
    assert!(events[2].starts_with("resumed after 1"), "{events:?}");
}

#[tokio::test]
async fn a_state_reads_back() {
    let mut store = MockHashStore::new();
    let kept: Arc<Mutex<BTreeMap<String, Bytes>>> = Arc::default();
    let written = Arc::clone(&kept);
    store.expect_set_fields().returning(move |_, fields, _| {
        written.lock().unwrap().extend(fields);
        Ok(1)
    });
    store.expect_get_all().returning(move |_| Ok(kept.lock().unwrap().clone()));
    let databases = databases(MockKeyValueStore::new(), store).await;
    let batch = databases.get("batch").unwrap();
    let clock = ManualClock::default();
    let patience = Patience::new(Duration::ZERO, Arc::new(clock.clone()), Arc::new(Silent));
    let mut state = DocumentState::new("a.pdf");
    state.done("extract", "3");
    state.failed("chunk", &StageError::new("empty", "nothing to cut"));
    state.save(batch, "k", &clock, &patience).await.unwrap();
    let loaded = DocumentState::load(batch, "k").await.unwrap().unwrap();
    assert_eq!(loaded, state);
    assert!(
        matches!(&loaded.stages()["chunk"], StageStatus::Failed { code, .. } if code == "empty")
    );
    assert!(clock.now() > compartment_core::Timestamp::default());
}

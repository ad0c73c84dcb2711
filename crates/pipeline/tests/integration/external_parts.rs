//! Calls of another service for each part of a document.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::{KeyTemplate, RateLimit};
use compartment_pipeline::{
    Document, ExternalStage, Identity, LocalRun, Node, Pipeline, StageError, StageOptions,
};

use crate::stages::{databases, engine, made, submit, work};

/// Calls a service that counts, and that is away for the word `away` until it is told otherwise.
struct Ask {
    calls: Arc<AtomicU64>,
    is_away: Arc<AtomicBool>,
}

#[async_trait]
impl ExternalStage for Ask {
    type Input = String;
    type Output = String;

    fn name(&self) -> &'static str {
        "ask"
    }

    fn version(&self) -> String {
        "model-1".into()
    }

    fn template(&self) -> KeyTemplate<String> {
        KeyTemplate::new("t_answer", "t:answer:{subject}:{version}", "cache")
    }

    async fn call(&self, word: &String) -> Result<String, StageError> {
        if word == "away" && self.is_away.load(Ordering::Relaxed) {
            return Err(StageError::new("away", "the service is away"));
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(word.to_uppercase())
    }
}

struct Asking {
    pipeline: Pipeline,
    answers: Node<Vec<Arc<String>>>,
    calls: Arc<AtomicU64>,
    is_away: Arc<AtomicBool>,
}

/// Asks for each word of a text, which is split inline.
fn asking(limit: Option<RateLimit>) -> compartment_core::Result<Asking> {
    let (split, _) =
        made("split", |text: &String| Ok(text.split(' ').map(str::to_owned).collect::<Vec<_>>()));
    let (read, _) = made("read", |text: &String| Ok(text.clone()));
    let (calls, is_away) = (Arc::default(), Arc::default());
    let ask = Ask { calls: Arc::clone(&calls), is_away: Arc::clone(&is_away) };
    let mut builder = Pipeline::builder("asking");
    let how = StageOptions::default;
    let text = builder.stage(read, how(), (), |document, ()| Ok(document.text()?.to_owned()));
    let words = builder.stage(split, how().inline(), text, |_, text| Ok(text));
    let mut options = how().max_attempts(1);
    options.rate_limit = limit.map(|limit| ("rate:openai:ask".to_owned(), limit));
    let answers = builder.external_each(ask, options, words, |_, _, word| Ok(word.clone()));
    Ok(Asking { pipeline: builder.build()?, answers, calls, is_away })
}

fn document(text: &str) -> Document {
    Document::new("", 0, text.to_owned().into(), Identity::new(text, text))
}

#[tokio::test]
async fn parts_that_were_answered_are_not_asked_for_again() {
    let databases = databases().await;
    let Asking { pipeline, answers, calls, is_away } = asking(None).unwrap();
    is_away.store(true, Ordering::Relaxed);
    let run = LocalRun::new(engine(&databases, &pipeline).await, answers);
    let failed = run.document(document("a b away")).await.unwrap();
    assert_eq!(failed.results.unwrap_err().code, "away");
    let before = calls.load(Ordering::Relaxed);
    assert!(!run.engine().is_kept(&document("a b away")).await.unwrap());
    is_away.store(false, Ordering::Relaxed);
    let answers = run.document(document("a b away")).await.unwrap().results.unwrap();
    let answers: Vec<&str> = answers.iter().map(|answer| answer.as_str()).collect();
    assert_eq!((answers, before), (vec!["A", "B", "AWAY"], 2));
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    assert!(run.engine().is_kept(&document("a b away")).await.unwrap());
}

#[tokio::test]
async fn a_look_for_what_is_stored_computes_nothing() {
    let databases = databases().await;
    let Asking { pipeline, .. } = asking(None).unwrap();
    let engine = engine(&databases, &pipeline).await;
    assert!(!engine.is_kept(&document("a b")).await.unwrap());
    let computed: u64 = engine.progress().figures().values().map(|figures| figures.computed).sum();
    assert_eq!(computed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_part_takes_a_permit() {
    let databases = databases().await;
    let Asking { pipeline, calls, .. } =
        asking(Some(RateLimit::new(3, Duration::from_millis(200)))).unwrap();
    let store = databases.get("batch").unwrap();
    submit(store, &pipeline, "b", &["a b c d", "e f g"]).await;
    let started = std::time::Instant::now();
    work(&databases, &pipeline, "b").await;
    assert_eq!(calls.load(Ordering::Relaxed), 7);
    // Three in the first window, three in the second, one in the third.
    assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
}

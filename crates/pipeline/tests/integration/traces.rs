//! Spans and traces as an exporter of OpenTelemetry gets them.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use compartment_core::QueueStoreExt;
use compartment_pipeline::{Pipeline, StageError, StageOptions, TaskData, Worker};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, SpanKind, Status, TracerProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing::Instrument;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

use crate::stages::{databases, engine, made, options, patience, submit, work};

/// Collects the spans that this thread ends until the guard is dropped.
fn collected() -> (InMemorySpanExporter, DefaultGuard) {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    (exporter, tracing::subscriber::set_default(subscriber))
}

fn named<'s>(spans: &'s [SpanData], name: &str) -> Vec<&'s SpanData> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let of_key = |one: &&KeyValue| one.key.as_str() == key;
    span.attributes.iter().find(of_key).map(|one| one.value.as_str().into_owned())
}

/// A pipeline of two stages; `length` fails on the text `bad`.
fn pipeline() -> Pipeline {
    let mut builder = Pipeline::builder("words");
    let (split, _) = made("split", |text: &String| Ok(text.clone()));
    let (length, _) = made("length", |text: &String| match text.as_str() {
        "bad" => Err(StageError::new("unreadable", "bad text")),
        text => Ok(text.len() as u64),
    });
    let text = builder
        .stage(split, StageOptions::default(), (), |document, ()| Ok(document.text()?.to_owned()));
    let once = StageOptions::default().max_attempts(1);
    builder.stage(length, once, text, |_, text| Ok(text));
    builder.build().unwrap()
}

#[tokio::test]
async fn a_task_continues_the_trace_of_whoever_submitted_it() {
    let (exporter, _guard) = collected();
    let (databases, pipeline) = (databases().await, pipeline());
    let store = databases.get("batch").unwrap();
    let request = tracing::info_span!("request");
    async {
        let (queue, task) = pipeline.task(&TaskData::new("length", "hello")).unwrap();
        store.queue().submit_one(&queue, task).await.unwrap();
    }
    .instrument(request)
    .await;

    let worker =
        Worker::new(store, vec![engine(&databases, &pipeline).await], options(), patience());
    let done = async {
        while store.queue().counts("words.length").await.unwrap() != Default::default() {
            tokio::task::yield_now().await;
        }
    };
    worker.run(done).await.unwrap();

    let spans = exporter.get_finished_spans().unwrap();
    let request = named(&spans, "request")[0];
    let process = named(&spans, "process words.length")[0];
    assert_eq!(process.span_context.trace_id(), request.span_context.trace_id());
    assert_eq!(process.parent_span_id, request.span_context.span_id());
    assert_eq!(process.span_kind, SpanKind::Consumer);
    // The stage is asked for, which asks for the stage that it needs.
    let length = named(&spans, "stage length")[0];
    assert_eq!(length.parent_span_id, process.span_context.span_id());
    let split = named(&spans, "stage split")[0];
    assert_eq!(split.span_context.trace_id(), request.span_context.trace_id());
    // What the stages read and store is within them.
    let stored: Vec<&SpanData> = spans
        .iter()
        .filter(|span| span.parent_span_id == split.span_context.span_id())
        .filter(|span| attribute(span, "compartment.database").as_deref() == Some("cache"))
        .collect();
    assert!(!stored.is_empty(), "{spans:#?}");
    assert!(stored.iter().all(|span| span.span_kind == SpanKind::Client));
    assert_eq!(attribute(stored[0], "db.system.name").as_deref(), Some("memory"));
    assert_eq!(
        named(&spans, "QueueStore.submit")[0].parent_span_id,
        request.span_context.span_id()
    );
}

#[tokio::test]
async fn a_document_of_a_batch_has_a_trace_that_links_to_the_submission() {
    let (exporter, _guard) = collected();
    let (databases, pipeline) = (databases().await, pipeline());
    let store = databases.get("batch").unwrap();
    let submission = tracing::info_span!("submission");
    submit(store, &pipeline, "night", &["good", "bad"]).instrument(submission).await;
    work(&databases, &pipeline, "night").await;

    let spans = exporter.get_finished_spans().unwrap();
    let submission = named(&spans, "submission")[0].span_context.clone();
    let processed = named(&spans, "process night");
    assert!(processed.len() >= 4, "two stages of two documents: {spans:#?}");
    for process in &processed {
        assert_eq!(process.parent_span_id, SpanId::INVALID);
        assert_ne!(process.span_context.trace_id(), submission.trace_id());
        assert_eq!(process.links.links[0].span_context.span_id(), submission.span_id());
    }
    let failed: Vec<&&SpanData> =
        processed.iter().filter(|span| span.status != Status::Unset).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(attribute(failed[0], "error.type").as_deref(), Some("unreadable"));
}

#[tokio::test]
async fn an_operation_that_fails_says_so_and_no_span_names_a_key() {
    let (exporter, _guard) = collected();
    let databases = databases().await;
    let store = databases.get("metrics").unwrap();
    store.key_value().set("secret-key", "text".into(), Default::default()).await.unwrap();
    store.counter().count("secret-key").await.unwrap_err();

    let spans = exporter.get_finished_spans().unwrap();
    let count = named(&spans, "CounterStore.count")[0];
    assert_eq!(attribute(count, "error.type").as_deref(), Some("NotANumber"));
    assert!(matches!(count.status, Status::Error { .. }), "{count:?}");
    assert!(!format!("{spans:?}").contains("secret-key"));
}

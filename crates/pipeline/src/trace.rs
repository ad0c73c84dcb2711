//! Spans of stages and of documents that a worker works on, and the trace that a task belongs to.
//!
//! Without the feature `trace` every span is none and every context is empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracing::Span;

use crate::attempt::Left;
use crate::{Document, PipelineError};

/// The place of a task in a trace, as the global propagator of OpenTelemetry writes it: with W3C's propagator the
/// fields `traceparent` and `tracestate`. It is empty without the feature `trace`, without a propagator, and outside a
/// trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceContext(BTreeMap<String, String>);

impl TraceContext {
    /// The context of the current span.
    #[must_use]
    pub fn current() -> Self {
        #[cfg(feature = "trace")]
        return otel::current();
        #[cfg(not(feature = "trace"))]
        Self::default()
    }

    /// Whether it belongs to no trace.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The span of a stage for a document: from the look for a stored result to the result. It names the document by its
/// content: a file name may name people.
pub(crate) fn stage(name: &str, document: &Document) -> Span {
    #[cfg(feature = "trace")]
    return tracing::info_span!(
        target: otel::STAGE,
        "stage",
        otel.name = format!("stage {name}"),
        otel.status_code = tracing::field::Empty,
        compartment.stage = name,
        compartment.document = document.subject(),
        error.type = tracing::field::Empty,
    );
    #[cfg(not(feature = "trace"))]
    {
        let _ = (name, document);
        Span::none()
    }
}

/// Records how a stage ended in its span.
pub(crate) fn stage_ended<T>(span: &Span, result: &Result<T, PipelineError>) {
    match result {
        Ok(_) => {}
        Err(PipelineError::Stage(error)) => failed(span, error.code),
        Err(PipelineError::Store(error)) => failed(span, &format!("{:?}", error.kind())),
    }
}

/// The span of a single task in a worker. It continues the trace of whoever submitted the task.
pub(crate) fn task(queue: &str, id: u64, context: &TraceContext) -> Span {
    #[cfg(feature = "trace")]
    {
        let span = otel::process(queue);
        span.record("messaging.message.id", id);
        otel::continue_in(&span, context);
        span
    }
    #[cfg(not(feature = "trace"))]
    {
        let _ = (queue, id, context);
        Span::none()
    }
}

/// The span of a stage of a batch's document in a worker. It begins a trace of its own, since a batch may have a million
/// documents, and links to the span in which the batch was submitted.
pub(crate) fn batch_document(batch: &str, ordinal: u32, context: &TraceContext) -> Span {
    #[cfg(feature = "trace")]
    {
        let span = otel::process(batch);
        span.record("messaging.message.id", ordinal);
        otel::link(&span, context);
        span
    }
    #[cfg(not(feature = "trace"))]
    {
        let _ = (batch, ordinal, context);
        Span::none()
    }
}

/// Records in the span of a worker how an attempt ended.
pub(crate) fn attempt_ended(span: &Span, left: &Left) {
    match left {
        Left::Done => {}
        Left::Failed(error) => failed(span, error.code),
        Left::Untried(error) => failed(span, &format!("{:?}", error.kind())),
    }
}

fn failed(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
}

/// The contexts of OpenTelemetry behind spans of `tracing`.
#[cfg(feature = "trace")]
mod otel {
    use std::collections::HashMap;

    use opentelemetry::global;
    use opentelemetry::trace::TraceContextExt;
    use tracing::Span;
    use tracing::field::Empty;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    use super::TraceContext;

    /// The target of the stages' spans, for filters.
    pub(super) const STAGE: &str = "compartment::stage";
    /// The target of the workers' spans.
    const WORKER: &str = "compartment::worker";

    pub(super) fn current() -> TraceContext {
        let mut fields = HashMap::new();
        let context = Span::current().context();
        global::get_text_map_propagator(|known| known.inject_context(&context, &mut fields));
        TraceContext(fields.into_iter().collect())
    }

    /// The span of work from a queue or a batch, with the names of OpenTelemetry's conventions for messages.
    pub(super) fn process(from: &str) -> Span {
        tracing::info_span!(
            target: WORKER,
            parent: None,
            "process",
            otel.name = format!("process {from}"),
            otel.kind = "consumer",
            otel.status_code = Empty,
            messaging.system = "compartment",
            messaging.operation.type = "process",
            messaging.destination.name = from,
            messaging.message.id = Empty,
            error.type = Empty,
        )
    }

    pub(super) fn continue_in(span: &Span, context: &TraceContext) {
        if !context.is_empty() {
            // It fails only where no layer of OpenTelemetry listens.
            let _ = span.set_parent(remote(context));
        }
    }

    pub(super) fn link(span: &Span, context: &TraceContext) {
        let remote = remote(context);
        let from = remote.span().span_context().clone();
        if from.is_valid() {
            span.add_link(from);
        }
    }

    fn remote(context: &TraceContext) -> opentelemetry::Context {
        let fields: HashMap<String, String> = context.0.clone().into_iter().collect();
        global::get_text_map_propagator(|known| known.extract(&fields))
    }
}

//! Sends traces by OTLP over HTTP, configured by OpenTelemetry's environment variables.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_https::https_connector;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TracerProvider};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample,
};
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::exit_code::{CliError, ExitCode};

/// The variables that say where traces go; without one of them none are made.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// How long a request may take, and the end of the program may wait for the last spans.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Traces that are sent until this is dropped.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

/// Starts sending, if the environment says where to.
///
/// # Errors
/// A usage error if the environment names no address that traces can be sent to.
pub(crate) fn start() -> Result<Option<Traces>, CliError> {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let is_off = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value == "true");
    if is_off || !ENDPOINTS.into_iter().any(set) {
        return Ok(None);
    }
    let client = Client::new().map_err(|error| not_sent(&error))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .build()
        .map_err(|error| not_sent(&error))?;
    let mut resource = Resource::builder();
    if !set("OTEL_SERVICE_NAME") {
        resource = resource.with_service_name("compartment");
    }
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_sampler(Sampler::ParentBased(Box::new(Roots)))
        .with_batch_exporter(exporter)
        .build();
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    Ok(Some(Traces(provider)))
}

fn not_sent(error: &dyn std::fmt::Display) -> CliError {
    let [traces, all] = ENDPOINTS;
    CliError::new(
        ExitCode::Usage,
        format!("traces cannot be sent ({error}): correct {traces} or {all}, or unset both"),
    )
}

impl Traces {
    /// The layer that turns spans of `tracing` into those that are sent.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.0.tracer("compartment");
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(LevelFilter::INFO)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // A collector that does not answer must not make the command fail.
        let _ = self.0.shutdown_with_timeout(TIMEOUT);
    }
}

/// Samples every trace but those that are one store operation: an idle worker looks for work several times a second.
#[derive(Clone, Debug)]
struct Roots;

impl ShouldSample for Roots {
    fn should_sample(
        &self,
        parent: Option<&opentelemetry::Context>,
        _trace: TraceId,
        _name: &str,
        kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let decision = match kind {
            SpanKind::Client => SamplingDecision::Drop,
            _ => SamplingDecision::RecordAndSample,
        };
        let state = parent.map(|context| context.span().span_context().trace_state().clone());
        SamplingResult { decision, attributes: Vec::new(), trace_state: state.unwrap_or_default() }
    }
}

/// Requests on a runtime of their own: the exporter calls from a thread without one.
#[derive(Debug)]
struct Client {
    requests: Arc<dyn HttpClient>,
    runtime: Runtime,
}

impl Client {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let requests = Arc::new(HyperClient::new(https_connector()?, TIMEOUT, None));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { requests, runtime })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let requests = Arc::clone(&self.requests);
        self.runtime.spawn(async move { requests.send_bytes(request).await }).await?
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceState};

    use super::*;

    #[test]
    fn an_operation_outside_a_trace_is_left_out_and_one_within_is_kept() {
        let sampler = Sampler::ParentBased(Box::new(Roots));
        let (trace, span) = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8]));
        let sampled = TraceFlags::SAMPLED;
        let within = SpanContext::new(trace, span, sampled, true, TraceState::default());
        let within = opentelemetry::Context::new().with_remote_span_context(within);
        let decision = |parent: Option<&opentelemetry::Context>, kind: SpanKind| {
            sampler.should_sample(parent, trace, "name", &kind, &[], &[]).decision
        };
        assert_eq!(decision(None, SpanKind::Client), SamplingDecision::Drop);
        assert_eq!(decision(None, SpanKind::Consumer), SamplingDecision::RecordAndSample);
        assert_eq!(decision(Some(&within), SpanKind::Client), SamplingDecision::RecordAndSample);
    }
}

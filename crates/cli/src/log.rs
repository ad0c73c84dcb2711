//! The log of a run, and its traces with the feature `otel`.

use tracing::Instrument;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::exit_code::CliError;
use crate::screen;

/// Ends what observes the run when it is dropped.
#[derive(Debug)]
pub(crate) struct Log {
    #[cfg(feature = "otel")]
    _traces: Option<crate::traces::Traces>,
}

/// Writes what is logged to the screen if `is_shown`, and sends traces if the environment says where to.
///
/// # Errors
/// A usage error if the environment names no address that traces can be sent to.
pub(crate) fn start(is_shown: bool) -> Result<Log, CliError> {
    let shown = is_shown.then(|| {
        let layer = tracing_subscriber::fmt::layer().with_writer(|| screen::Log).without_time();
        layer.with_filter(LevelFilter::INFO)
    });
    let subscriber = tracing_subscriber::registry().with(shown);
    #[cfg(feature = "otel")]
    {
        let traces = crate::traces::start()?;
        let layer = traces.as_ref().map(crate::traces::Traces::layer);
        if is_shown || traces.is_some() {
            subscriber.with(layer).init();
        }
        Ok(Log { _traces: traces })
    }
    #[cfg(not(feature = "otel"))]
    {
        if is_shown {
            subscriber.init();
        }
        Ok(Log {})
    }
}

/// A command that begins work on documents, in a span: the trace that its tasks and batches belong to. Commands that go
/// on until they are stopped have none.
pub(crate) async fn in_span<T>(command: &'static str, work: impl Future<Output = T>) -> T {
    let span = tracing::info_span!(
        target: "compartment::command",
        "command",
        otel.name = format!("compartment {command}"),
    );
    work.instrument(span).await
}

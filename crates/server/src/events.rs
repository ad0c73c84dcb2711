//! Looks as server-sent events.
//!
//! A stream holds no queue: a reader that is slow gets the newest look when it is ready for one, and one that takes
//! nothing is dropped with its connection (`timed_stream.rs`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::watch;

use crate::api::problem;
use crate::state::{Rendered, Shared};

/// A comment is sent after this much silence, so that a reader that has gone is noticed.
const BEAT: Duration = Duration::from_secs(15);

struct Reader {
    newest: watch::Receiver<Option<Rendered>>,
    /// Gives its place back when the stream ends.
    _place: tokio::sync::OwnedSemaphorePermit,
    is_begun: bool,
}

/// `GET /api/events`
pub(crate) async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(place) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let why = "as many streams of events are open as this server holds: ask /api/look";
        return problem(StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let reader = Reader { newest: shared.newest.clone(), _place: place, is_begun: false };
    let stream = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(stream)).into_response()
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        if !self.is_begun {
            self.is_begun = true;
            if let Some(rendered) = self.newest.borrow_and_update().clone() {
                return Some(rendered.event);
            }
        }
        match tokio::time::timeout(BEAT, self.newest.changed()).await {
            Ok(Ok(())) => {
                let newest = self.newest.borrow_and_update().clone();
                Some(newest.map_or(Bytes::from_static(b": nothing yet\n\n"), |one| one.event))
            }
            // The server ends.
            Ok(Err(_)) => None,
            Err(_) => Some(Bytes::from_static(b": still here\n\n")),
        }
    }
}

//! The backup by `SCAN` and `DUMP`: a few round trips in flight, and a thread that writes.

use std::collections::VecDeque;
use std::path::Path;

use compartment_redis::Connection;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::bloom::Bloom;
use super::fetch::{Sizes, fetch};
use super::fit::Fit;
use super::functions::function_libraries;
use super::output::{About, Output, Page};
use super::resume::{Paths, Source};
use super::{BackupOptions, BackupReport, may_be_read};
use crate::error::{AdminError, Result};
use crate::expiry::ExpiryBy;
use crate::field_lives::FieldLives;
use crate::rdb::Format;
use crate::restore::now;
use crate::{Limits, Pace, Place, Progress, Walk, walk};

/// Round trips in flight, so that the server never waits for the next.
const IN_FLIGHT: usize = 3;
/// The format of an empty file from a server whose version is not known.
const OLDEST_FORMAT: u16 = 9;
/// Results that wait to be written.
const WAITING: usize = 3;

pub(super) async fn run(
    place: &Place,
    pattern: Option<&[u8]>,
    file: &Path,
    options: &BackupOptions,
    progress: &dyn Progress,
) -> Result<BackupReport> {
    let source = Source::of(place, pattern, options).await?;
    let mut connection = place.open("backup").await?;
    // Reads of a backup should not count as uses; servers support this since 7.2.
    let mut no_touch = redis::cmd("CLIENT");
    no_touch.arg("NO-TOUCH").arg("ON");
    let _ = connection.ask::<redis::Value>("back up", &no_touch).await;
    let keys = place.index_keys().await?;
    let whole = pattern.is_none() && place.prefix().is_empty();
    progress.begin("back up", whole.then_some(keys));
    let (paths, about, zstd) = (Paths::of(file), about(place, options).await?, options.zstd);
    let (output, bloom) = on_thread(move || {
        let mut output = Output::open(paths, about, Some(source), zstd)?;
        let mut bloom = Bloom::for_names(keys);
        output.each_name(|name| {
            bloom.insert(&name);
        })?;
        Ok((output, bloom))
    })
    .await?;
    let resumed = output.counts.keys;
    if resumed > 0 {
        progress.note(&format!("resuming an interrupted backup with {resumed} keys"));
        progress.advance(resumed);
    }

    let mut walk = Walk::start(place, pattern).await?;
    if let Some(position) = output.position {
        walk = walk.resume_at(position);
    }
    let sizes = Sizes::new();
    let mut work = Work {
        place,
        by: ExpiryBy::of(place.server().info()),
        connection,
        sizes: &sizes,
        limits: options.limits,
        progress,
    };
    let names = Names {
        walk,
        pace: Pace::new(options.limits, place).await?,
        bloom,
        sizes: &sizes,
        page: VecDeque::new(),
    };
    let mut output = work.write_all(names, output).await?;
    loop {
        let missing;
        (output, missing) = on_thread(move || {
            let missing = output.next_missing()?;
            Ok((output, missing))
        })
        .await?;
        if missing.is_empty() {
            break;
        }
        output = work.write_missing(missing, output).await?;
    }
    if let Err(error) = may_be_read(place, options).await {
        // The keys read meanwhile may be incomplete, so the file must not be resumed.
        output.discard();
        return Err(error);
    }
    on_thread(move || {
        let counts = output.counts;
        let report = output.finish()?;
        let (vanished, repeated) = (counts.vanished, counts.repeated);
        Ok(BackupReport { vanished, repeated, resumed, via: "scan", ..report })
    })
    .await
}

/// What the file says of its source and is made for.
pub(super) async fn about(place: &Place, options: &BackupOptions) -> Result<About> {
    let functions = match (options.functions, options.format) {
        (false, _) => Vec::new(),
        (true, Some(format)) if !format.has_functions() => {
            let what = format!("{format} has no functions: leave --functions out");
            return Err(AdminError::Invalid(what));
        }
        (true, None)
            if Format::of(place.server().info()).is_some_and(|own| !own.has_functions()) =>
        {
            let what = format!("{place} has no functions: leave --functions out");
            return Err(AdminError::Invalid(what));
        }
        (true, _) => match place.open_nodes("functions").await?.first_mut() {
            Some(node) => function_libraries(node).await?,
            None => Vec::new(),
        },
    };
    let now_ms = match options.field_lives {
        FieldLives::Drop => now(&mut place.open("backup").await?).await,
        _ => 0,
    };
    let info = place.server().info();
    let own = Format::of(info).map_or(OLDEST_FORMAT, Format::version);
    Ok(About {
        label: place.label().to_owned(),
        server_version: info.version.clone(),
        index: place.index(),
        rdb_version: options.format.map_or(own, Format::version),
        fit: Fit::new(options.format, options.field_lives, now_ms),
        functions,
    })
}

/// Runs file work on a blocking thread.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    joined(tokio::task::spawn_blocking(work)).await
}

async fn joined<T>(handle: JoinHandle<Result<T>>) -> Result<T> {
    handle.await.unwrap_or_else(|error| {
        Err(AdminError::Invalid(format!("the work on the file has failed: {error}")))
    })
}

/// The request of one round trip.
struct Chunk {
    names: Vec<Vec<u8>>,
    held: Vec<Vec<u8>>,
    position: Option<(usize, u64)>,
}

/// The names of the place, in portions of one round trip.
struct Names<'a> {
    walk: Walk,
    pace: Pace,
    bloom: Bloom,
    sizes: &'a Sizes,
    page: VecDeque<Vec<u8>>,
}

impl<'a> Names<'a> {
    async fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        if self.page.is_empty() {
            let Some(page) = self.pace.next_page(&mut self.walk).await? else { return Ok(None) };
            self.page = page.into();
        }
        let max = self.sizes.keys(self.pace.batch());
        let (mut names, mut held) = (Vec::with_capacity(max), Vec::new());
        while names.len() < max
            && let Some(name) = self.page.pop_front()
        {
            // SCAN may return a key twice, and no server loads a file with a duplicate.
            if self.bloom.insert(&name) {
                held.push(name);
            } else {
                names.push(name);
            }
        }
        self.pace.admit(names.len() * 2).await?;
        let position = self.page.is_empty().then(|| self.walk.position());
        Ok(Some(Chunk { names, held, position }))
    }

    fn into_stream(self) -> impl Stream<Item = Result<Chunk>> + use<'a> {
        futures_util::stream::unfold(Some(self), |names| async {
            let mut names = names?;
            match names.next_chunk().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(names))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

struct Work<'a> {
    place: &'a Place,
    by: ExpiryBy,
    connection: Connection,
    sizes: &'a Sizes,
    limits: Limits,
    progress: &'a dyn Progress,
}

impl Work<'_> {
    /// Writes all names. On an error, the data received until then is synchronised.
    async fn write_all(&mut self, names: Names<'_>, output: Output) -> Result<Output> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let writing = tokio::task::spawn_blocking(move || write(output, receiver));
        let sent = self.send_all(names, &sender).await;
        drop(sender);
        let output = joined(writing).await?;
        sent.map(|()| output)
    }

    async fn send_all(&mut self, names: Names<'_>, sender: &mpsc::Sender<Page>) -> Result<()> {
        let (place, by, sizes) = (self.place, self.by, self.sizes);
        let connection = &self.connection;
        let fetched = names.into_stream().map(|chunk| {
            let mut connection = connection.clone();
            async move {
                let chunk = chunk?;
                let page = fetch(&mut connection, place, by, sizes, chunk.names).await?;
                Ok::<Page, AdminError>(Page { held: chunk.held, position: chunk.position, ..page })
            }
        });
        // With a limit of the latency, other clients get their turn between two round trips.
        let in_flight = if self.limits.latency.is_some() { 1 } else { IN_FLIGHT };
        let mut fetched = std::pin::pin!(fetched.buffered(in_flight));
        while let Some(page) = fetched.next().await {
            let page = page?;
            self.progress.advance((page.entries.len() + page.held.len()) as u64 + page.vanished);
            if sender.send(page).await.is_err() {
                // The writer has failed, and returns its error.
                break;
            }
        }
        Ok(())
    }

    /// Writes keys that were held back.
    async fn write_missing(
        &mut self,
        mut missing: Vec<Vec<u8>>,
        mut output: Output,
    ) -> Result<Output> {
        let mut pace = Pace::new(self.limits, self.place).await?;
        while !missing.is_empty() {
            let keys = self.sizes.keys(pace.batch().min(walk::PAGE)).min(missing.len());
            let names = missing.split_off(missing.len() - keys);
            pace.admit(names.len() * 2).await?;
            let page = fetch(&mut self.connection, self.place, self.by, self.sizes, names).await?;
            output = on_thread(move || {
                output.take(page)?;
                Ok(output)
            })
            .await?;
        }
        Ok(output)
    }
}

/// Writes pages until the channel closes.
fn write(mut output: Output, mut pages: mpsc::Receiver<Page>) -> Result<Output> {
    while let Some(page) = pages.blocking_recv() {
        output.take(page)?;
    }
    output.make_safe()?;
    Ok(output)
}

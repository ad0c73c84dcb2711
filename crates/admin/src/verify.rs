//! Compares two places key by key: type, value, expiry, fields' expiry, stream groups.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use compartment_core::backend::glob_matches;
use serde::Serialize;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::clocks::ClockShift;
use crate::expiry::ExpiryBy;
use crate::field_lives::FieldLives;
use crate::fitness::refuse_stale_replica;
use crate::lacking::lacking;
use crate::migrate::{Course, Item, Lane, Routes, Way};
use crate::rdb::Format;
use crate::rdb::{self, FileReader};
use crate::restore::no_database;
use crate::snapshot::{Snapshot, server_time, take};
use crate::{AdminError, Limits, Pace, Place, Progress, Result, Walk, escape};

/// Options of a comparison.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Redis globs over names, as [`crate::read_glob`] reads them; all keys if empty.
    pub patterns: Vec<String>,
    /// Whether keys that only the second side has count as differences.
    pub both_ways: bool,
    /// Maximum number of differences listed; all are counted.
    pub examples: usize,
    /// Limits of the load on the servers.
    pub limits: Limits,
    /// Whether to read from a replica without a link to its master.
    pub stale_replica: bool,
    /// Whether expiries of hash fields do not count where the second side knows none, as after a move with
    /// [`crate::migrate::FieldLives::Drop`].
    pub drops_field_lives: bool,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            both_ways: false,
            examples: 20,
            limits: Limits::default(),
            stale_replica: false,
            drops_field_lives: false,
        }
    }
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Keys that are equal on both sides.
    pub same: u64,
    /// Keys that the second side lacks.
    pub missing: u64,
    /// Keys that differ.
    pub different: u64,
    /// Keys that the first side lacks; counted only with `both_ways`.
    pub extra: u64,
    /// Keys that expired or were deleted while they were compared.
    pub gone: u64,
    /// Some of the differences: escaped name, and a description.
    pub examples: Vec<(String, String)>,
    /// Duration in seconds.
    pub seconds: f64,
}

impl VerifyReport {
    /// Whether both sides are equal.
    #[must_use]
    pub fn all_same(&self) -> bool {
        self.missing == 0 && self.different == 0 && self.extra == 0
    }

    fn note(&mut self, name: &[u8], what: impl Into<String>, max: usize) {
        if self.examples.len() < max {
            self.examples.push((escape(name), what.into()));
        }
    }

    /// Adds what a lane has found.
    fn add(&mut self, part: Self, max: usize) {
        self.same += part.same;
        self.missing += part.missing;
        self.different += part.different;
        self.extra += part.extra;
        self.gone += part.gone;
        let room = max.saturating_sub(self.examples.len());
        self.examples.extend(part.examples.into_iter().take(room));
    }

    fn compare(
        &mut self,
        name: &[u8],
        one: Option<&Snapshot>,
        other: Option<&Snapshot>,
        (max, slack_ms): (usize, u64),
    ) {
        match (one, other) {
            (None, _) => self.gone += 1,
            (Some(_), None) => {
                self.missing += 1;
                self.note(name, "missing in the second database", max);
            }
            (Some(one), Some(other)) => match one.difference(other, slack_ms) {
                None => self.same += 1,
                Some(what) => {
                    self.different += 1;
                    self.note(name, what, max);
                }
            },
        }
    }
}

/// Number of concurrent lanes.
const LANES: usize = 3;

/// Compares each key of `from` with the key of the same name in `to`.
///
/// # Errors
/// When a server fails or refuses. Differences are not an error: the report counts them.
pub async fn verify(
    from: Place,
    to: Place,
    options: VerifyOptions,
    progress: Arc<dyn Progress>,
) -> Result<VerifyReport> {
    let started = Instant::now();
    if from.is(&to).await? {
        return Err(AdminError::Invalid(format!(
            "{from} and {to} are the same database: there is nothing to compare"
        )));
    }
    if !options.stale_replica {
        refuse_stale_replica(&from).await?;
        refuse_stale_replica(&to).await?;
    }
    let routes = Routes::single("all", &options.patterns, None);
    let field_lives = if options.drops_field_lives { FieldLives::Drop } else { FieldLives::Stop };
    let course = Course::new(from.clone(), vec![to.clone()], routes);
    let mut course = Course { keep: true, field_lives, ..course };
    course.routes.spare_shared(&from, &to).await?;
    match course.look_at_servers().await {
        Ok(notes) => notes.iter().for_each(|note| progress.note(&format!("note: {note}"))),
        Err(AdminError::Unsafe(why)) => progress.note(&format!("note: {why}")),
        Err(error) => return Err(error),
    }
    let slack = course.slack_ms();
    progress.begin("verify", from.known_keys().await);
    let report = Arc::new(Mutex::new(VerifyReport::default()));
    let (send, pages) = mpsc::channel::<Vec<Item>>(4);
    let pages = Arc::new(Mutex::new(pages));
    let pace = Arc::new(Mutex::new(Pace::new(options.limits, &from).await?));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let lane = Lane::open(&course, Way::Dump).await?;
        let (pages, report) = (Arc::clone(&pages), Arc::clone(&report));
        let (pace, progress) = (Arc::clone(&pace), Arc::clone(&progress));
        let max = (options.examples, slack);
        lanes.spawn(async move { compare_all(lane, pages, pace, report, progress, max).await });
    }
    let mut walk = Walk::start(&from, course.routes.only_pattern()).await?;
    while let Some(names) = walk.next_page().await? {
        let items: Vec<Item> = names
            .into_iter()
            .filter_map(|name| Some(Item { rule: course.routes.rule_of(&name)?, name }))
            .collect();
        if send.send(items).await.is_err() {
            break;
        }
    }
    drop(send);
    while let Some(lane) = lanes.join_next().await {
        lane.map_err(|error| AdminError::Invalid(error.to_string()))??;
    }
    let mut report = std::mem::take(&mut *report.lock().await);
    if options.both_ways {
        look_for_extra(&from, &to, &options, &mut report, progress.as_ref()).await?;
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

async fn compare_all(
    mut lane: Lane,
    pages: Arc<Mutex<mpsc::Receiver<Vec<Item>>>>,
    pace: Arc<Mutex<Pace>>,
    report: Arc<Mutex<VerifyReport>>,
    progress: Arc<dyn Progress>,
    max: (usize, u64),
) -> Result<()> {
    loop {
        let page = pages.lock().await.recv().await;
        let Some(items) = page else { return Ok(()) };
        let mut at = 0;
        while at < items.len() {
            let portion = {
                let mut pace = pace.lock().await;
                let portion = lane.capacity().min(pace.batch());
                pace.admit(portion * 2).await?;
                portion
            };
            let some = &items[at..items.len().min(at + portion)];
            let (mut one, other) = lane.both_sides(some).await?;
            forget_ended(&mut lane, some, &mut one, &other).await?;
            let mut part = VerifyReport::default();
            for ((item, one), other) in some.iter().zip(&one).zip(&other) {
                part.compare(&item.name, one.as_ref(), other.as_ref(), max);
            }
            report.lock().await.add(part, max.0);
            at += some.len();
            progress.advance(some.len() as u64);
        }
    }
}

/// Reads differing keys again, since a key with a TTL may have expired between the two reads.
async fn forget_ended(
    lane: &mut Lane,
    items: &[Item],
    one: &mut [Option<Snapshot>],
    other: &[Option<Snapshot>],
) -> Result<()> {
    let expires = |one: &Option<Snapshot>| one.as_ref().is_some_and(|one| one.expires_at.is_some());
    let at = (0..items.len()).filter(|at| other[*at].is_none() && expires(&one[*at]));
    let lacking: Vec<usize> = at.collect();
    let some: Vec<Item> = lacking.iter().map(|at| items[*at].clone()).collect();
    let gone = lane.gone_from_source(&some).await?;
    for at in lacking {
        if gone.contains(&at) {
            one[at] = None;
        }
    }
    Ok(())
}

/// Finds keys of the second side that the first lacks. The next names are read while the last ones are looked for.
async fn look_for_extra(
    from: &Place,
    to: &Place,
    options: &VerifyOptions,
    report: &mut VerifyReport,
    progress: &dyn Progress,
) -> Result<()> {
    progress.begin("extra", to.known_keys().await);
    let routes = Routes::single("all", &options.patterns, None);
    let mut walk = Walk::start(to, routes.only_pattern()).await?;
    let mut connection = from.open("verify").await?;
    let mut names = walk.next_page().await?;
    while let Some(mut page) = names {
        page.retain(|name| routes.rule_of(name).is_some());
        let (next, lacking) = tokio::join!(walk.next_page(), lacking(&mut connection, from, &page));
        for name in lacking? {
            report.extra += 1;
            report.note(name, "only in the second database", options.examples);
        }
        progress.advance(page.len() as u64);
        names = next?;
    }
    Ok(())
}

/// Keys of a dump compared at a time, unless they are large.
const FROM_FILE: usize = 256;
/// Bytes of a dump compared at a time.
const BYTES_FROM_FILE: usize = 8 << 20;

/// Compares each key of a dump's database `index` (`None`: its only one) with the key of the same
/// name in `to`.
///
/// # Errors
/// When the file is damaged or holds several databases, or the server fails.
pub async fn verify_dump(
    path: &Path,
    index: Option<u64>,
    to: Place,
    options: VerifyOptions,
    progress: Arc<dyn Progress>,
) -> Result<VerifyReport> {
    let started = Instant::now();
    if !options.stale_replica {
        refuse_stale_replica(&to).await?;
    }
    let mut connection = to.open("verify").await?;
    let now = server_time(&mut connection).await?;
    progress.begin("verify", None);
    let (send, mut batches) = mpsc::channel::<Vec<(Vec<u8>, Snapshot)>>(2);
    let (file, patterns) = (path.to_owned(), options.patterns.clone());
    let knows = Format::of(to.server().info()).is_none_or(Format::has_field_lives);
    let drops = options.drops_field_lives && !knows;
    let reader = tokio::task::spawn_blocking(move || {
        read_dump(&file, (index, now), &patterns, drops, &send)
    });
    let mut report = VerifyReport::default();
    let slack = ClockShift::default().slack_ms();
    let expiry = ExpiryBy::of(to.server().info());
    while let Some(batch) = batches.recv().await {
        let names: Vec<Vec<u8>> =
            batch.iter().map(|(name, _)| to.on_server(name).into_owned()).collect();
        let there = take(&mut connection, expiry, &names).await?;
        for ((name, here), there) in batch.iter().zip(&there) {
            let ends = there.is_none() && here.expires_at.is_some();
            let over = ends && here.is_over(server_time(&mut connection).await?, slack);
            let here = (!over).then_some(here);
            report.compare(name, here, there.as_ref(), (options.examples, slack));
        }
        progress.advance(batch.len() as u64);
    }
    let in_file = reader.await.map_err(|error| AdminError::Invalid(error.to_string()))??;
    if options.both_ways {
        let routes = Routes::single("all", &options.patterns, None);
        let mut walk = Walk::start(&to, routes.only_pattern()).await?;
        let mut here = 0;
        while let Some(names) = walk.next_page().await? {
            here += names.iter().filter(|name| routes.rule_of(name).is_some()).count() as u64;
        }
        report.extra = here.saturating_sub(in_file.saturating_sub(report.missing + report.gone));
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Passes on the keys of a dump; returns how many had not expired by the server's clock.
fn read_dump(
    path: &Path,
    (index, now): (Option<u64>, u64),
    patterns: &[String],
    drops: bool,
    send: &mpsc::Sender<Vec<(Vec<u8>, Snapshot)>>,
) -> Result<u64> {
    let globs: Vec<Vec<u8>> = patterns.iter().map(|pattern| crate::read_glob(pattern)).collect();
    let damaged = |error: rdb::RdbError| match error {
        rdb::RdbError::Io(source) => AdminError::file("read", path)(source),
        error => AdminError::BadFile { path: path.to_owned(), problem: error.to_string() },
    };
    let mut reader = FileReader::open(path).map_err(damaged)?;
    let (mut batch, mut bytes, mut keys) = (Vec::new(), 0, 0);
    let mut only = None;
    let mut there: BTreeMap<u64, u64> = BTreeMap::new();
    while let Some(item) = reader.next_item().map_err(damaged)? {
        let rdb::Item::Key(key) = item else { continue };
        let current = key.database;
        *there.entry(current).or_default() += 1;
        if index.is_some_and(|index| index != current) {
            continue;
        }
        if index.is_none() && *only.get_or_insert(current) != current {
            return Err(AdminError::Invalid(format!(
                "{} holds several databases: choose one with --from-index",
                path.display()
            )));
        }
        let wanted = globs.is_empty() || globs.iter().any(|g| glob_matches(g, &key.name));
        if !wanted || key.expires_at_ms.is_some_and(|at| at <= now) {
            continue;
        }
        let snapshot = Snapshot {
            payload: key.dump(reader.version()),
            expires_at: key.expires_at_ms,
            drops_field_lives: drops.then_some(now),
        };
        bytes += snapshot.payload.len();
        keys += 1;
        batch.push((key.name, snapshot));
        if batch.len() >= FROM_FILE || bytes >= BYTES_FROM_FILE {
            bytes = 0;
            if send.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(keys);
            }
        }
    }
    if let Some(index) = index.filter(|index| !there.contains_key(index)) {
        return Err(no_database(path, index, &there));
    }
    let _ = send.blocking_send(batch);
    Ok(keys)
}

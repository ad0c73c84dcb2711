//! Analyses a database: keys by pattern and producer, memory, TTLs, idle times, clients.
//!
//! Two passes: the first learns patterns and programs from the names alone, the second counts each
//! key in the first group whose globs it matches. A plan's globs therefore select exactly the keys
//! that were counted. The second goes over the names that the first has kept, and walks over the
//! others again. Only commands that do not reset idle times are used: `SCAN`, `OBJECT`,
//! `PTTL`, `TYPE`, `MEMORY USAGE`, `CLIENT LIST`, `INFO`. The only exception is Celery's binding
//! tables, which Celery itself reads for each message it sends.

mod clients;
mod collect;
mod definitions;
mod dump;
mod estimate;
mod fetch;
mod kept;
mod report;
mod server;
mod signs;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use compartment_core::KeyRule;
use compartment_redis::Connection;

pub use clients::ClientUse;
pub(crate) use clients::{clients_of, clients_of_server};
pub(crate) use collect::KeyFacts;
pub(crate) use definitions::{Definition, Names};
pub use dump::analyze_dump;
pub(crate) use fetch::{Questions, look_at, number, sizes};
pub use report::{
    Analysis, BigKey, Bucket, KeyGroupReport, Measure, Memory, ServerState, Source, TtlCounts,
};
pub(crate) use server::{questions, state};
pub(crate) use signs::leaves_no_trace;

pub use server::keyspace;

use crate::frameworks::Signature;
use crate::{KeyType, Limits, Pace, Place, Progress, Result, Walk};
use collect::Collector;
use fetch::Page;
use kept::Kept;

/// Options of an analysis.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AnalyzeOptions {
    /// Whether to measure every element of every key. The server is blocked while it walks a big
    /// key.
    pub exact: bool,
    /// Limits of the load on the server.
    pub limits: Limits,
    /// Number of biggest keys to list.
    pub top: usize,
    /// Whether to read a few values even if that resets their idle times (Redis before 7.2).
    pub look_at_values: bool,
    /// Templates of the database map, which take precedence over other patterns.
    pub rules: BTreeMap<String, KeyRule>,
}

impl Default for AnalyzeOptions {
    fn default() -> Self {
        Self {
            exact: false,
            limits: Limits::default(),
            top: 10,
            look_at_values: false,
            rules: BTreeMap::new(),
        }
    }
}

/// Concurrent round trips, so that server and client both work.
const IN_FLIGHT: usize = 3;

/// Analyses the database at `place`. Writes nothing.
///
/// # Errors
/// When the server cannot be reached or does not allow `SCAN` and `PTTL`. Other refused commands
/// are listed in [`Analysis::missing`].
pub async fn analyze(
    place: &Place,
    options: &AnalyzeOptions,
    progress: &dyn Progress,
) -> Result<Analysis> {
    let began = Instant::now();
    let made = now();
    let mut connection = place.open("analyze").await?;
    let state = server::state(&mut connection, place).await;
    let mut missing = Vec::new();
    let questions = server::questions(&mut connection, &state, options.exact, &mut missing).await;
    let clients = clients_of(place).await.unwrap_or_else(|error| {
        missing
            .push(format!("CLIENT LIST is not allowed: connected clients ({})", error.message()));
        Vec::new()
    });
    let pace = Pace::new(options.limits, place).await?;
    let expected = expected_keys(place, &state);

    progress.begin("read the names", expected);
    let (mut names, mut again, mut pace) = read_names(place, pace, progress).await?;
    signs::read_bindings(&mut connection, place, &mut names).await?;
    let known = signatures(&mut connection, place, &names.questions(), &mut pace).await?;
    let mut definitions = names.define(&options.rules, &known);

    progress.begin("look at the keys", expected);
    let mut collector = Collector::new(&definitions, options.top);
    let mut work = Work { place, connection: &connection, questions, progress };
    let vanished = work.look_at_keys(&mut again, &mut collector, &mut pace).await?;

    if questions.memory {
        measure_samples(&mut connection, place, &mut collector, &mut pace, progress).await?;
    }
    if signs::leaves_no_trace(&mut connection).await || options.look_at_values {
        signs::look_at_values(&mut connection, place, &collector, &mut definitions).await?;
    }
    let collected = collector.finish(definitions);
    let measure = match (questions.memory, options.exact) {
        (false, _) => Measure::Unknown,
        (true, true) => Measure::Exact,
        (true, false) => Measure::Sampled,
    };
    Ok(Analysis {
        version: 1,
        source: source(place),
        made,
        seconds: began.elapsed().as_secs_f64(),
        server: state,
        keys: collected.keys,
        vanished,
        types: collected.types,
        encodings: collected.encodings,
        ttl: collected.ttl,
        idle: collected.idle.list(),
        uses: collected.uses.list(),
        memory: collected.memory,
        measure,
        groups: collected.groups,
        biggest: collected.biggest,
        clients,
        missing,
    })
}

/// The current time in the format of files.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}

pub(crate) fn source(place: &Place) -> Source {
    Source {
        label: place.label().to_owned(),
        server: place.server().url().to_string(),
        index: place.index(),
        prefix: crate::escape(place.prefix()),
    }
}

/// Number of keys of the place, if the server's count covers only them.
fn expected_keys(place: &Place, state: &ServerState) -> Option<u64> {
    let whole = place.prefix().is_empty() && !place.server().is_cluster();
    whole.then(|| state.keyspace.get(&place.index()).copied().unwrap_or(0))
}

/// The names once more: those that were kept, then the rest of the walk.
struct Again {
    kept: Kept,
    walk: Walk,
}

impl Again {
    /// The next kept names. The walk is where it goes on behind them, also where the rest of them is too old.
    fn next_kept(&mut self) -> Option<Vec<Vec<u8>>> {
        if self.kept.is_empty() {
            return None;
        }
        let page = self.kept.next_page(Instant::now());
        if page.is_none() {
            self.walk.go_to(self.kept.position());
        }
        page
    }

    async fn next_page(&mut self, pace: &mut Pace) -> Result<Option<Vec<Vec<u8>>>> {
        match self.next_kept() {
            Some(page) => Ok(Some(page)),
            None => Ok(pace.next_page(&mut self.walk).await?),
        }
    }
}

/// The first pass. The server scans the next names while the previous ones are processed.
async fn read_names(
    place: &Place,
    mut pace: Pace,
    progress: &dyn Progress,
) -> Result<(Names, Again, Pace)> {
    let mut walk = Walk::start(place, None).await?;
    let mut kept = Kept::new(walk.position());
    let (send, mut pages) = tokio::sync::mpsc::channel(IN_FLIGHT);
    let reader = tokio::spawn(async move {
        loop {
            let Some(page) = pace.next_page(&mut walk).await? else { break };
            if send.send((page, walk.position())).await.is_err() {
                break;
            }
        }
        Ok::<_, compartment_core::Error>((walk, pace))
    });
    let mut names = Names::default();
    while let Some((page, position)) = pages.recv().await {
        page.iter().for_each(|name| names.add(name));
        progress.advance(page.len() as u64);
        kept.offer(&page, position, Instant::now());
    }
    let (mut walk, pace) = reader.await.map_err(ended_early)??;
    walk.go_to(kept.position());
    Ok((names, Again { kept, walk }, pace))
}

fn ended_early(error: tokio::task::JoinError) -> crate::AdminError {
    crate::AdminError::Invalid(format!("the work ended unexpectedly: {error}"))
}

/// Type and TTL of some keys; vanished keys are left out.
pub(crate) async fn signatures(
    connection: &mut Connection,
    place: &Place,
    names: &[Vec<u8>],
    pace: &mut Pace,
) -> Result<BTreeMap<Vec<u8>, Signature>> {
    let mut known = BTreeMap::new();
    let mut rest = names;
    while !rest.is_empty() {
        let (page, after) = rest.split_at(pace.batch().min(rest.len()));
        rest = after;
        pace.admit(page.len() * 2).await?;
        let mut pipeline = redis::Pipeline::with_capacity(page.len() * 2);
        for name in page {
            let key = place.on_server(name);
            pipeline.cmd("TYPE").arg(key.as_ref());
            pipeline.cmd("PTTL").arg(key.as_ref());
        }
        let answers = connection.ask_each("look at keys", &pipeline).await?;
        for (name, pair) in page.iter().zip(answers.chunks(2)) {
            let key_type = pair.first().and_then(fetch::text).and_then(KeyType::parse);
            let expires = pair.get(1).and_then(fetch::number).is_some();
            if let Some(key_type) = key_type {
                known.insert(name.clone(), Signature { key_type, expires });
            }
        }
    }
    Ok(known)
}

/// A page of keys that is asked about.
type Asked = tokio::task::JoinHandle<compartment_core::Result<Page>>;

struct Work<'a> {
    place: &'a Place,
    connection: &'a Connection,
    questions: Questions,
    progress: &'a dyn Progress,
}

impl Work<'_> {
    /// The second pass; returns the number of vanished keys. The next names are read while the last ones are asked about.
    async fn look_at_keys(
        &mut self,
        again: &mut Again,
        collector: &mut Collector,
        pace: &mut Pace,
    ) -> Result<u64> {
        let mut under_way = VecDeque::new();
        let mut vanished = 0;
        let mut next = again.next_page(pace).await?;
        while let Some(page) = next {
            if pace.in_flight() == 1 || !again.kept.is_empty() {
                vanished += self.ask_about(page, &mut under_way, collector, pace).await?;
                next = again.next_page(pace).await?;
                continue;
            }
            pace.admit(1).await?;
            let asked = self.ask_about(page, &mut under_way, collector, pace);
            let (following, gone) = tokio::join!(again.walk.next_page(), asked);
            vanished += gone?;
            next = following?;
        }
        while !under_way.is_empty() {
            vanished += self.take(under_way.pop_front(), collector).await?;
        }
        Ok(vanished)
    }

    /// Asks about a page; takes answers once enough questions are under way. Returns the number of vanished keys.
    async fn ask_about(
        &self,
        mut page: Vec<Vec<u8>>,
        under_way: &mut VecDeque<Asked>,
        collector: &mut Collector,
        pace: &mut Pace,
    ) -> Result<u64> {
        let mut vanished = 0;
        while !page.is_empty() {
            let rest = page.split_off(pace.batch().min(page.len()));
            pace.admit(page.len() * self.questions.commands_per_key()).await?;
            let asked = fetch::look_at(
                self.connection.clone(),
                self.place.clone(),
                std::mem::replace(&mut page, rest),
                self.questions,
            );
            under_way.push_back(tokio::spawn(asked));
            if under_way.len() >= IN_FLIGHT {
                vanished += self.take(under_way.pop_front(), collector).await?;
            }
        }
        Ok(vanished)
    }

    async fn take(&self, task: Option<Asked>, collector: &mut Collector) -> Result<u64> {
        let Some(task) = task else { return Ok(0) };
        let page = task.await.map_err(ended_early)??;
        let mut vanished = 0;
        self.progress.advance(page.len() as u64);
        for (name, facts) in &page {
            match facts {
                Some(facts) => collector.add(name, facts),
                None => vanished += 1,
            }
        }
        Ok(vanished)
    }
}

async fn measure_samples(
    connection: &mut Connection,
    place: &Place,
    collector: &mut Collector,
    pace: &mut Pace,
    progress: &dyn Progress,
) -> Result<()> {
    let samples = collector.samples();
    let keys = samples.iter().map(|sample| sample.names.len() as u64).sum();
    progress.begin("measure a sample", Some(keys));
    for sample in samples {
        let mut sizes = Vec::with_capacity(sample.names.len());
        for page in sample.names.chunks(pace.batch()) {
            pace.admit(page.len()).await?;
            sizes.extend(fetch::sizes(connection, place, page).await?);
            progress.advance(page.len() as u64);
        }
        collector.measured(&sample, &sizes);
    }
    Ok(())
}

//! Migrates while writers continue: repeats passes until the old place stays empty.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::engine::{Run, Work};
use super::{Migration, MigrationReport};
use crate::client_list::client_list;
use crate::{Place, Progress, Result};

/// When a live migration ends.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LiveOptions {
    /// How long the old place has to stay without keys that move.
    pub quiet: Duration,
    /// Maximum duration of the migration.
    pub at_most: Duration,
}

impl LiveOptions {
    /// Ends once the old place has been quiet for `quiet`, or after `at_most`.
    #[must_use]
    pub fn new(quiet: Duration, at_most: Duration) -> Self {
        Self { quiet, at_most }
    }
}

/// A client of the old place, from `CLIENT LIST`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Straggler {
    /// Its network address.
    pub address: String,
    /// Its `CLIENT SETNAME` name.
    pub name: String,
    /// Its client library, if the server reports it (since 7.2).
    pub library: String,
    /// Its last command.
    pub command: String,
}

impl std::fmt::Display for Straggler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.address)?;
        for (what, text) in
            [("name", &self.name), ("library", &self.library), ("last", &self.command)]
        {
            if !text.is_empty() {
                write!(f, ", {what} {text}")?;
            }
        }
        Ok(())
    }
}

/// The result of a live migration.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LiveReport {
    /// Totals over all passes; counts of keys left are those of the last pass.
    pub migration: MigrationReport,
    /// Clients of the old place at the end.
    pub stragglers: Vec<Straggler>,
    /// Whether the old place stayed empty for the requested time, so that it can be abandoned.
    pub quiet: bool,
}

/// The pause after a pass is this many times its length, because a pass may have to scan many keys
/// that stay.
const REST: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Moves the keys, and those that are written to the old place meanwhile, until no new one has come
/// for [`LiveOptions::quiet`]. Reports each client that still uses the old place.
///
/// # Errors
/// As [`super::migrate`].
pub async fn migrate_live(
    migration: Migration,
    options: LiveOptions,
    progress: Arc<dyn Progress>,
) -> Result<LiveReport> {
    let started = Instant::now();
    let mut run = Run::prepare(migration, Arc::clone(&progress)).await?;
    run.course.both_are_used = true;
    let work = run.start().await?;
    let mut told = BTreeSet::new();
    let mut quiet_since = Instant::now();
    let mut moved = 0;
    let quiet = loop {
        let began = Instant::now();
        work.begin_pass();
        work.pass().await?;
        let now = work.report().moved;
        if now > moved {
            if moved > 0 {
                tell_stragglers(&work, &mut told).await?;
            }
            moved = now;
            quiet_since = Instant::now();
        } else if quiet_since.elapsed() >= options.quiet {
            break true;
        }
        if started.elapsed() >= options.at_most {
            break false;
        }
        let pause = (began.elapsed() * REST).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        tokio::time::sleep(pause.min(options.quiet)).await;
    };
    let source = work.migration.source.clone();
    let report = work.finish().await?;
    let quiet = quiet && report.complete();
    Ok(LiveReport { migration: report, stragglers: clients_of(&source).await?, quiet })
}

/// Reports each client that still uses the old place, once.
async fn tell_stragglers(work: &Work, told: &mut BTreeSet<String>) -> Result<()> {
    for client in clients_of(&work.migration.source).await? {
        if told.insert(client.address.clone()) {
            let place = work.migration.source.label();
            work.progress().note(&format!("still in {place}: {client}"));
        }
    }
    Ok(())
}

/// The clients that have selected the place's index. Empty if the user may not list clients, which
/// is not a reason to stop.
pub(crate) async fn clients_of(place: &Place) -> Result<Vec<Straggler>> {
    let clients = client_list(place).await.unwrap_or_default();
    let here = clients.into_iter().filter(|client| client.index == place.index());
    let mut found: Vec<Straggler> = here
        .map(|client| Straggler {
            address: client.address,
            name: client.name,
            library: client.library,
            command: client.command,
        })
        .collect();
    found.sort();
    Ok(found)
}

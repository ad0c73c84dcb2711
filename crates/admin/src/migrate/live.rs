//! Migrates while writers go on: passes until nothing is left behind, and a look at who still
//! writes to the old place.

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
    /// How long the old place has to stay empty of the keys that move.
    pub quiet: Duration,
    /// The longest that it goes on.
    pub at_most: Duration,
}

impl LiveOptions {
    /// Until the old place has been quiet for so long, for at most so long.
    #[must_use]
    pub fn new(quiet: Duration, at_most: Duration) -> Self {
        Self { quiet, at_most }
    }
}

/// A client of the old place, as its server lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Straggler {
    /// Where it is.
    pub address: String,
    /// What it calls itself.
    pub name: String,
    /// The library that it uses, where the server tells (since 7.2).
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

/// What a live migration came to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LiveReport {
    /// What was moved, over all passes; what was left is that of the last one.
    pub migration: MigrationReport,
    /// Clients of the old place at the end.
    pub stragglers: Vec<Straggler>,
    /// Whether the old place stayed empty for as long as asked: then it can be given up.
    pub quiet: bool,
}

/// A pass over many keys that stay is paid for by a pause of so many times its length.
const REST: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Moves the keys, and those that are written to the old place meanwhile, until none has come for
/// [`LiveOptions::quiet`]. Says of each client that still uses the old place who it is.
///
/// # Errors
/// As [`super::migrate`].
pub async fn migrate_live(
    migration: Migration,
    options: LiveOptions,
    progress: Arc<dyn Progress>,
) -> Result<LiveReport> {
    let started = Instant::now();
    let work = Run::prepare(migration, Arc::clone(&progress)).await?.start().await?;
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

/// Says once of each client that it still uses the old place.
async fn tell_stragglers(work: &Work, told: &mut BTreeSet<String>) -> Result<()> {
    for client in clients_of(&work.migration.source).await? {
        if told.insert(client.address.clone()) {
            let place = work.migration.source.label();
            work.progress().note(&format!("still in {place}: {client}"));
        }
    }
    Ok(())
}

/// The clients that have the place's index selected. None where the server does not tell: a user
/// who may not look is no reason to stop.
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

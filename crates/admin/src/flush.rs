//! Empties one database, and refuses if that would remove keys of others.

use std::sync::Arc;
use std::time::Instant;

use compartment_core::{Contract, DatabaseKind, DatabaseMap};
use compartment_redis::is_hidden;
use redis::Pipeline;
use serde::Serialize;

use crate::analyze::{ClientUse, clients_of};
use crate::chosen::Chosen;
use crate::counted::{CountedNames, NameCounter};
use crate::neighbours::{Neighbours, neighbours};
use crate::patterns::Learner;
use crate::plan::{Plan, Stays, search_indexes};
use crate::{AdminError, Limits, Pace, Place, Progress, Result, Walk, escape};

/// Options of a flush: which keys to remove, and how.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FlushOptions {
    /// Redis globs over names, as [`crate::read_glob`] reads them; all keys if empty.
    pub patterns: Vec<String>,
    /// Limits of the load on the server. With limits, keys are removed one by one.
    pub limits: Limits,
    /// The database's name, by which the operator confirms that a database other than a cache may
    /// be flushed.
    pub yes_really: Option<String>,
    /// Plans, with their names, for the server and index of this database. A key that stays by any
    /// of them is not removed.
    pub plans: Vec<(String, Plan)>,
    /// Names of keys that stay, without the prefix of the place.
    pub except: Vec<Vec<u8>>,
    /// Note the names of the keys that are counted, at most this many, in [`FlushPreview::names`].
    pub note_names: Option<usize>,
    /// Remove only keys that were counted before, one by one, and none if the keys are no longer these.
    pub only: Option<Arc<CountedNames>>,
}

/// How keys are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FlushWay {
    /// By `FLUSHDB ASYNC`, in one step.
    FlushDb,
    /// By `UNLINK`, a batch at a time.
    Unlink,
}

/// A preview of a flush.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FlushPreview {
    /// The database.
    pub database: String,
    /// Its server, any password hidden.
    pub server: String,
    /// Its index.
    pub index: u32,
    /// Prefix of its keys.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Its kind, if it is in the map.
    pub kind: Option<DatabaseKind>,
    /// How the keys would be removed.
    pub way: FlushWay,
    /// Number of keys that would be removed.
    pub keys: u64,
    /// Patterns of their names with counts, the largest first.
    pub patterns: Vec<(String, u64)>,
    /// Number of patterns not listed.
    pub more_patterns: u64,
    /// Number of keys that match none of the listed patterns.
    pub more_keys: u64,
    /// The clients that are connected to the index, and would miss the keys.
    pub owners: Vec<ClientUse>,
    /// Reasons for a refusal; empty if it would run.
    pub refusals: Vec<String>,
    /// The names that were counted, with [`FlushOptions::note_names`]; `None` too if there are more.
    #[serde(skip)]
    pub names: Option<CountedNames>,
}

/// The result of a flush.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FlushReport {
    /// The database.
    pub database: String,
    /// How the keys were removed.
    pub way: FlushWay,
    /// Number of removed keys; for `FLUSHDB`, of keys just before it.
    pub removed: u64,
    /// Duration in seconds.
    pub seconds: f64,
}

/// Maximum number of patterns shown.
const SHOWN: usize = 12;

/// Previews a flush of `place`, including any refusal. Changes nothing.
///
/// # Errors
/// The server's.
pub async fn preview_flush(
    place: &Place,
    map: &DatabaseMap,
    options: &FlushOptions,
    progress: &dyn Progress,
) -> Result<FlushPreview> {
    let Neighbours { contracts: here, unknown } = neighbours(place, map).await?;
    let own = here.iter().find(|contract| {
        contract.name == place.label() || here.len() == 1 && place.prefix().is_empty()
    });
    let way = way(place, options);
    let mut refusals = Vec::new();
    shared(place, own, &here, options, &mut refusals);
    if !is_meant(place, own, options) {
        refusals.extend(unknown);
    }
    let kind = own.map(|contract| contract.kind);
    if kind != Some(DatabaseKind::Cache) && !is_meant(place, own, options) {
        let name = own.map_or_else(|| place.label(), |contract| &contract.name);
        let what = kind.map_or("not in the map".to_owned(), |kind| format!("a {kind} database"));
        refusals.push(format!(
            "{name} is {what}: its keys cannot be recreated; use --yes-really {name:?} to remove \
             them anyway"
        ));
    }
    if way == FlushWay::FlushDb {
        let found = search_indexes(&mut place.open("flush").await?).await;
        if !found.is_empty() {
            refusals.push(format!(
                "the server has search indexes ({}), and FLUSHDB on any database drops them all: \
                 --pattern '*' removes the keys one by one instead",
                found.join(", ")
            ));
        }
    }
    let owners = clients_of(place).await.unwrap_or_default();
    for client in owners.iter().filter(|client| client.blocked > 0) {
        refusals.push(format!(
            "{} of the connections of {} are blocked on keys in index {}: stop the workers first",
            client.blocked,
            client.who(),
            client.index
        ));
    }
    let Counted { keys, mut patterns, stays, names } = count(place, options, progress).await?;
    refusals.extend(stays);
    let all = patterns.len();
    patterns.truncate(SHOWN);
    let shown: u64 = patterns.iter().map(|(_, keys)| keys).sum();
    Ok(FlushPreview {
        database: place.label().to_owned(),
        server: place.server().url().to_string(),
        index: place.index(),
        prefix: escape(place.prefix()),
        kind,
        way,
        keys,
        more_patterns: (all - patterns.len()) as u64,
        more_keys: keys.saturating_sub(shown),
        patterns,
        owners,
        refusals,
        names,
    })
}

/// Empties `place`, or removes the keys of the patterns.
///
/// # Errors
/// [`AdminError::Unsafe`] when it is refused, with every reason, and [`AdminError::Moved`] when the keys are not those of
/// [`FlushOptions::only`]; then nothing was removed. The server's: some keys may be gone.
pub async fn flush(
    place: &Place,
    map: &DatabaseMap,
    options: &FlushOptions,
    progress: &dyn Progress,
) -> Result<FlushReport> {
    let mut options = options.clone();
    if let Some(only) = &options.only {
        options.note_names = Some(only.len());
    }
    let options = &options;
    let preview = preview_flush(place, map, options, progress).await?;
    if !preview.refusals.is_empty() {
        return Err(AdminError::Unsafe(format!(
            "{} is not flushed: {}",
            preview.database,
            preview.refusals.join("; ")
        )));
    }
    if let Some(only) = &options.only
        && preview.names.as_ref() != Some(only.as_ref())
    {
        return Err(AdminError::Moved(format!(
            "{} is not flushed: its keys are no longer the {} that were counted",
            preview.database,
            only.len()
        )));
    }
    let began = Instant::now();
    let mut way = preview.way;
    let mut removed = preview.keys;
    if way == FlushWay::FlushDb && !flush_whole(place).await? {
        way = FlushWay::Unlink;
    }
    if way == FlushWay::Unlink {
        removed = unlink(place, options, preview.keys, progress).await?;
    }
    Ok(FlushReport {
        database: preview.database,
        way,
        removed,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Empties the index in one step. `false`, with nothing removed, if the user may not or the command
/// was renamed.
async fn flush_whole(place: &Place) -> Result<bool> {
    for mut node in place.open_nodes("flush").await? {
        let mut command = redis::cmd("FLUSHDB");
        command.arg("ASYNC");
        match node.ask::<()>("flush", &command).await {
            Ok(()) => {}
            Err(error) if is_hidden(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn way(place: &Place, options: &FlushOptions) -> FlushWay {
    let limits = options.limits;
    let whole = place.prefix().is_empty()
        && options.patterns.is_empty()
        && options.except.is_empty()
        && options.only.is_none();
    let unlimited = limits.operations_per_second.is_none() && limits.latency.is_none();
    if whole && unlimited { FlushWay::FlushDb } else { FlushWay::Unlink }
}

/// Refusals because keys of other databases would be removed too.
fn shared(
    place: &Place,
    own: Option<&Contract>,
    here: &[Contract],
    options: &FlushOptions,
    refusals: &mut Vec<String>,
) {
    let is_other = |contract: &&Contract| {
        let other_name = own.is_none_or(|own| own.name != contract.name);
        // With its own prefix, only keys of that prefix are removed.
        let same_keys = place.prefix().is_empty()
            || own.is_some_and(|own| own.placement == contract.placement && own.is_shared);
        other_name && same_keys
    };
    let others: Vec<&str> =
        here.iter().filter(is_other).map(|contract| contract.name.as_str()).collect();
    let alone = own.is_none() && others.len() == 1;
    let chosen = !options.patterns.is_empty() && is_meant(place, own, options);
    if !others.is_empty() && !alone && !chosen {
        refusals.push(format!(
            "index {} is shared with {}: their keys would be removed too; select keys with --pattern and \
             --yes-really",
            place.index(),
            others.join(", ")
        ));
    }
}

fn is_meant(place: &Place, own: Option<&Contract>, options: &FlushOptions) -> bool {
    options.yes_really.as_deref().is_some_and(|name| {
        name == place.label()
            || own.is_some_and(|contract| contract.name == name)
            || name == place.index().to_string()
    })
}

/// Result of counting the chosen names.
struct Counted {
    keys: u64,
    patterns: Vec<(String, u64)>,
    /// Keys that stay, each with its plan.
    stays: Vec<String>,
    names: Option<CountedNames>,
}

async fn count(place: &Place, options: &FlushOptions, progress: &dyn Progress) -> Result<Counted> {
    let chosen = Chosen::new(&options.patterns).except(&options.except);
    let mut names = options.note_names.map(NameCounter::new);
    let mut stays: Vec<Stays<'_>> =
        options.plans.iter().map(|(name, plan)| Stays::of(name, plan, &options.patterns)).collect();
    let mut learner = Learner::default();
    let mut keys = 0;
    progress.begin("look at the names", None);
    let mut pace = Pace::new(options.limits, place).await?;
    let mut walk = Walk::start(place, chosen.glob()).await?;
    loop {
        let Some(page) = pace.next_page(&mut walk).await? else { break };
        for name in page.iter().filter(|name| chosen.takes(name)) {
            learner.add(name);
            if let Some(names) = &mut names {
                names.add(name);
            }
            let on_server = place.on_server(name);
            stays.iter_mut().for_each(|one| one.add(&on_server));
            keys += 1;
        }
        progress.advance(page.len() as u64);
    }
    let learned = learner.finish().into_iter();
    let mut patterns: Vec<(String, u64)> =
        learned.map(|one| (one.pattern.to_string(), one.keys)).collect();
    patterns.sort_by_key(|(_, keys)| std::cmp::Reverse(*keys));
    let stays = stays.iter().filter_map(|one| one.refusal(place.label())).collect();
    Ok(Counted { keys, patterns, stays, names: names.and_then(NameCounter::finish) })
}

async fn unlink(
    place: &Place,
    options: &FlushOptions,
    keys: u64,
    progress: &dyn Progress,
) -> Result<u64> {
    let chosen = Chosen::new(&options.patterns).except(&options.except).only(options.only.as_ref());
    let mut connection = place.open("flush").await?;
    let mut pace = Pace::new(options.limits, place).await?;
    let mut walk = Walk::start(place, chosen.glob()).await?;
    let mut removed = 0;
    progress.begin("remove the keys", Some(keys));
    loop {
        let Some(mut page) = pace.next_page(&mut walk).await? else { return Ok(removed) };
        page.retain(|name| chosen.takes(name));
        for batch in page.chunks(pace.batch()) {
            pace.admit(batch.len()).await?;
            let mut pipeline = Pipeline::with_capacity(batch.len());
            for name in batch {
                pipeline.cmd("UNLINK").arg(place.on_server(name).as_ref());
            }
            for (name, answer) in batch.iter().zip(connection.ask_each("flush", &pipeline).await?) {
                if let Some(error) = compartment_redis::answer_error("flush", &answer) {
                    return Err(error.in_database(place.label()).at_key(escape(name)).into());
                }
                removed += u64::from(answer == redis::Value::Int(1));
            }
            progress.advance(batch.len() as u64);
        }
    }
}

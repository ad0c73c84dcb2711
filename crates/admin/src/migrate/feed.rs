//! Keeps the targets in step with a source whose programs cannot read both: every key that is
//! written there is copied again, until the programs have changed over.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use compartment_redis::{Connection, Server};
use redis::Value;

use super::engine::{Run, Work};
use super::live::{LiveOptions, LiveReport, clients_of};
use super::way::{Course, Lane};
use super::{Item, Migration, Way};
use crate::own_name::own_name;
use crate::replication::{Command, Feed, Replica, Wanted};
use crate::{AdminError, Progress, Result, Walk};

/// Changed keys that are copied together.
const AT_ONCE: usize = 500;
/// How long changes are gathered: a key that is written often is copied once.
const GATHER: Duration = Duration::from_millis(10);

/// Copies all keys, then each that is written in the source by the order of the server's own feed,
/// until nothing has been written for [`LiveOptions::quiet`]: then every writer has changed over.
/// The source keeps its keys, for roll-back.
///
/// # Errors
/// As [`super::migrate`]; and when the server or the user's rights do not allow replication, as on
/// most managed services: then passes have to do ([`super::migrate_live`]).
pub async fn follow(
    mut migration: Migration,
    options: LiveOptions,
    progress: Arc<dyn Progress>,
) -> Result<LiveReport> {
    migration.options.keep = true;
    let started = Instant::now();
    let source = migration.source.clone();
    // From before the first copy, so that no write falls in between.
    let replica = Replica::start(source.server(), Wanted::CopyAndFeed).await?;
    let positions = KeyPositions::of(source.server()).await?;
    let mut feed = replica.into_feed().await?;
    let run = Run::prepare(migration, Arc::clone(&progress)).await?;
    let (course, way) = (run.course.clone(), run.way);
    let work = run.start().await?;
    let mut changes = Changes::new(course.clone(), way, positions).await?;
    // The feed is read while the first copy goes on, or the server would drop it.
    {
        let mut first = std::pin::pin!(work.pass());
        loop {
            tokio::select! {
                done = &mut first => break done?,
                command = feed.next() => drop(changes.note(command?).await?),
            };
        }
    };
    progress.begin("follow", None);
    let mut quiet_since = Instant::now();
    let quiet = loop {
        let gathered = changes.gather(&mut feed).await?;
        let copied = changes.copy(&work).await?;
        progress.advance(copied);
        if gathered > 0 {
            quiet_since = Instant::now();
        } else if quiet_since.elapsed() >= options.quiet {
            break true;
        }
        if started.elapsed() >= options.at_most {
            break false;
        }
    };
    if quiet {
        work.note_followed().await?;
    }
    let report = work.end(quiet).await?;
    Ok(LiveReport { migration: report, stragglers: clients_of(&source).await?, quiet })
}

/// Keys that were written since they were copied.
struct Changes {
    course: Course,
    lane: Lane,
    positions: KeyPositions,
    names: HashSet<Vec<u8>>,
    /// Names that stand in the journal because of a change: once is enough.
    written_down: HashSet<Vec<u8>>,
    /// The source was emptied, or swapped: all keys have to be looked at.
    all: bool,
}

impl Changes {
    async fn new(course: Course, way: Way, positions: KeyPositions) -> Result<Self> {
        let lane = Lane::open(&course, if way == Way::Move { Way::Dump } else { way }).await?;
        let (names, written_down) = (HashSet::new(), HashSet::new());
        Ok(Self { course, lane, positions, names, written_down, all: false })
    }

    /// Notes which keys a command has written; whether it has to do with the source.
    async fn note(&mut self, command: Command) -> Result<bool> {
        let verb = command.arguments.first().map_or_else(Vec::new, |v| v.to_ascii_lowercase());
        let ours = command.database == self.course.source.index();
        match verb.as_slice() {
            b"flushall" | b"swapdb" => self.all = true,
            b"flushdb" if ours => self.all = true,
            b"move" | b"copy" => {}
            _ if !ours => return Ok(false),
            _ => {}
        }
        let mut concerns = self.all;
        for name in self.positions.keys(&command).await? {
            let Some(name) = self.course.source.in_place(&name) else { continue };
            if self.course.routes.rule_of(name).is_some() {
                self.names.insert(name.to_vec());
                concerns = true;
            }
        }
        Ok(concerns)
    }

    /// Waits a moment for writes; how many there were.
    async fn gather(&mut self, feed: &mut Feed) -> Result<u64> {
        let until = tokio::time::Instant::now() + GATHER;
        let mut count = 0;
        while self.names.len() < AT_ONCE {
            match tokio::time::timeout_at(until, feed.next()).await {
                Ok(command) => count += u64::from(self.note(command?).await?),
                Err(_) => break,
            }
        }
        Ok(count)
    }

    /// Copies what has changed; how many keys.
    async fn copy(&mut self, work: &Work) -> Result<u64> {
        if std::mem::take(&mut self.all) {
            self.compare_all().await?;
        }
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for name in std::mem::take(&mut self.names) {
            let Some(rule) = self.course.routes.rule_of(&name) else { continue };
            let list = if self.written_down.insert(name.clone()) { &mut new } else { &mut known };
            list.push(Item { name, rule });
        }
        let count = new.len() + known.len();
        // What is written down first can be taken back.
        if !new.is_empty() {
            work.copy_over(new).await?;
        }
        self.lane.refresh(&known).await?;
        Ok(count as u64)
    }

    /// After the source was emptied: what it has no more goes from the targets as well.
    async fn compare_all(&mut self) -> Result<()> {
        if self.course.routes.renames() {
            return Err(AdminError::Invalid(
                "the source was emptied or swapped while its keys get other names: begin anew with \
                 empty targets"
                    .into(),
            ));
        }
        for target in self.course.targets.clone() {
            let mut walk = Walk::start(&target, None).await?;
            while let Some(names) = walk.next_page().await? {
                let items: Vec<Item> = names
                    .into_iter()
                    .filter_map(|name| {
                        Some(Item { rule: self.course.routes.rule_of(&name)?, name })
                    })
                    .collect();
                self.lane.remove_gone(&items).await?;
            }
        }
        let mut walk = Walk::start(&self.course.source, None).await?;
        while let Some(names) = walk.next_page().await? {
            self.names.extend(names);
        }
        Ok(())
    }
}

/// Where the keys stand in each command, as the server itself tells.
struct KeyPositions {
    known: HashMap<Vec<u8>, (i64, i64, i64)>,
    /// Asked about commands whose keys are not at fixed places.
    server: Connection,
}

impl KeyPositions {
    async fn of(server: &Server) -> Result<Self> {
        let mut connection = server.open(0, &own_name("migrate")).await?;
        let table: Vec<Value> = connection.ask("list commands", &redis::cmd("COMMAND")).await?;
        let mut known = HashMap::new();
        for entry in table {
            add_command(&mut known, entry);
        }
        Ok(Self { known, server: connection })
    }

    /// The keys of a command.
    async fn keys(&mut self, command: &Command) -> Result<Vec<Vec<u8>>> {
        let arguments = &command.arguments;
        let Some(verb) = arguments.first() else { return Ok(Vec::new()) };
        let verb = verb.to_ascii_lowercase();
        let whole = arguments.get(1).map(|sub| {
            let mut whole = verb.clone();
            whole.push(b'|');
            whole.extend(sub.to_ascii_lowercase());
            whole
        });
        let found =
            whole.and_then(|whole| self.known.get(&whole)).or_else(|| self.known.get(&verb));
        match found {
            Some((first, last, step)) if *first > 0 => {
                let count = arguments.len() as i64;
                let last = if *last < 0 { count + last } else { *last };
                let mut keys = Vec::new();
                let mut at = *first;
                while at <= last && at < count {
                    if let Some(key) = usize::try_from(at).ok().and_then(|at| arguments.get(at)) {
                        keys.push(key.to_vec());
                    }
                    at += (*step).max(1);
                }
                Ok(keys)
            }
            Some(_) if matches!(verb.as_slice(), b"multi" | b"exec" | b"ping" | b"publish") => {
                Ok(Vec::new())
            }
            _ => {
                let mut ask = redis::cmd("COMMAND");
                ask.arg("GETKEYS");
                for argument in arguments {
                    ask.arg(argument.as_ref());
                }
                // One without keys is answered with an error.
                Ok(self.server.ask("find the keys of a command", &ask).await.unwrap_or_default())
            }
        }
    }
}

/// An entry of the answer of `COMMAND`: name, arity, flags, first key, last key, step, …, and in
/// its tenth place the subcommands.
fn add_command(known: &mut HashMap<Vec<u8>, (i64, i64, i64)>, entry: Value) {
    let Value::Array(parts) = entry else { return };
    let name = match parts.first() {
        Some(Value::BulkString(name)) => name.to_ascii_lowercase(),
        Some(Value::SimpleString(name)) => name.to_ascii_lowercase().into_bytes(),
        _ => return,
    };
    let number = |at: usize| match parts.get(at) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    };
    let flags = match parts.get(2) {
        Some(Value::Array(flags) | Value::Set(flags)) => flags.as_slice(),
        _ => &[],
    };
    let movable = flags.iter().any(|flag| match flag {
        Value::SimpleString(flag) => flag == "movablekeys",
        Value::BulkString(flag) => flag == b"movablekeys",
        _ => false,
    });
    // Asked about anew each time.
    let first = if movable { 0 } else { number(3) };
    known.insert(name, (first, number(4), number(5)));
    if let Some(Value::Array(subcommands)) = parts.get(9) {
        for subcommand in subcommands {
            add_command(known, subcommand.clone());
        }
    }
}

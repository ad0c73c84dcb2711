//! The work that all kinds share: questions at a bounded load, and removals that a script guards.

use std::path::Path;
use std::time::Duration;

use compartment_redis::{Connection, answer_error, read_answer};
use redis::{Cmd, Pipeline, Value};

use super::options::OrphanOptions;
use super::report::OrphanGroup;
use crate::analyze::{leaves_no_trace, number};
use crate::cleanup::journal::Journal;
use crate::cleanup::script::{self, Answers};
use crate::info::Info;
use crate::snapshot::server_time;
use crate::{Limits, Pace, Place, Result, escape};

const REMOVE_OLD: &str = include_str!("../../lua/remove_old.lua");

/// Younger things may be in the middle of something: a submission, a job between two lists.
pub(super) const SETTLED: Duration = Duration::from_secs(3_600);

/// A key that may go, and the words by which the script `remove_old` checks that again.
pub(super) struct Guarded {
    pub(super) name: Vec<u8>,
    pub(super) by: &'static str,
    pub(super) bound: Vec<u8>,
    pub(super) age_seconds: u64,
}

/// A removal by a script of its own.
pub(super) struct Removal {
    /// The key, or the key and the entry, for the journal.
    pub(super) name: String,
    /// The script with its keys and arguments.
    pub(super) command: Cmd,
}

/// The name of an entry of a key: both escaped, with a blank between them.
pub(super) fn entry_name(key: &[u8], entry: &[u8]) -> String {
    format!("{} {}", escape(key), escape(entry))
}

/// A look for orphans in one place.
pub(super) struct Work<'a> {
    pub(super) place: &'a Place,
    pub(super) connection: Connection,
    pub(super) pace: Pace,
    pub(super) apply: bool,
    pub(super) older_than: Option<Duration>,
    pub(super) limits: Limits,
    /// The server's clock when the work began, in milliseconds since 1970.
    pub(super) now: u64,
    /// Whether values may be read. On some servers a read counts as a use, and uses decide there what is evicted.
    pub(super) may_read: bool,
    journal: Option<Journal>,
}

impl<'a> Work<'a> {
    pub(super) async fn start(place: &'a Place, options: &OrphanOptions) -> Result<Work<'a>> {
        let mut connection = place.open("cleanup").await?;
        let may_read =
            leaves_no_trace(&mut connection).await || !evicts_by_use(&mut connection).await;
        let now = server_time(&mut connection).await?;
        let journal = options.journal.as_deref().filter(|_| options.apply);
        let journal = journal.map(|path: &Path| Journal::create(path, place)).transpose()?;
        let limits = options.limits.unnoticed();
        let pace = Pace::new(limits, place).await?;
        pace.measure(&mut connection);
        let (apply, older_than) = (options.apply, options.older_than);
        Ok(Self { place, connection, pace, apply, older_than, limits, now, may_read, journal })
    }

    /// The age from which something that needs no other age may go.
    pub(super) fn min_age(&self) -> Duration {
        self.older_than.unwrap_or_default().max(SETTLED)
    }

    /// The age in seconds of a time in milliseconds; `None` if it is younger than the minimum age.
    pub(super) fn old_enough(&self, since_ms: u64, min_age: Duration) -> Option<u64> {
        let age = Duration::from_millis(self.now.saturating_sub(since_ms));
        (age >= min_age).then_some(age.as_secs())
    }

    /// The answers to a pipeline's commands, which may be errors of the single command.
    pub(super) async fn ask(&mut self, pipeline: &Pipeline, commands: usize) -> Result<Vec<Value>> {
        if commands == 0 {
            return Ok(Vec::new());
        }
        let request = self.connection.ask_each("look for orphans", pipeline);
        Ok(self.pace.during(commands, request).await??)
    }

    /// One command's answer; `None` for an error that is about this key alone.
    pub(super) async fn ask_one<T: redis::FromRedisValue>(
        &mut self,
        command: &Cmd,
    ) -> Result<Option<T>> {
        let mut pipeline = Pipeline::new();
        pipeline.add_command(command.clone());
        let answer = self.ask(&pipeline, 1).await?.into_iter().next().unwrap_or(Value::Nil);
        Ok(read_answer("look for orphans", answer).ok())
    }

    /// Measures keys of a group, up to its limit.
    pub(super) async fn weigh(&mut self, group: &mut OrphanGroup, names: &[&[u8]]) -> Result<()> {
        if !group.wants_weights() || names.is_empty() {
            return Ok(());
        }
        let some = &names[..names.len().min(self.pace.batch())];
        let mut pipeline = Pipeline::with_capacity(some.len());
        for name in some {
            pipeline.cmd("MEMORY").arg("USAGE").arg(self.place.on_server(name).as_ref());
        }
        for bytes in self.ask(&pipeline, some.len()).await?.iter().filter_map(number) {
            group.weighed(bytes);
        }
        Ok(())
    }

    /// Counts keys that may go, and removes those whose reason still holds.
    pub(super) async fn take(&mut self, group: &mut OrphanGroup, keys: Vec<Guarded>) -> Result<()> {
        let names: Vec<&[u8]> = keys.iter().map(|key| key.name.as_slice()).collect();
        self.weigh(group, &names).await?;
        group.keys += keys.len() as u64;
        keys.iter().for_each(|key| group.example(&key.name));
        if !self.apply || group.refusal.is_some() {
            return Ok(());
        }
        for some in keys.chunks(self.pace.batch()) {
            let removal = script::run(
                "remove orphans",
                REMOVE_OLD,
                self.place,
                &mut self.connection,
                some,
                |key| &key.name,
                |command, some| {
                    for key in some {
                        command.arg(key.by).arg(key.bound.as_slice());
                    }
                },
            );
            let Answers { each, failed } = self.pace.during(some.len(), removal).await??;
            let gone = || some.iter().zip(&each).filter(|(_, one)| **one == 1).map(|(key, _)| key);
            if let Some(journal) = &mut self.journal {
                let why = group.kind.name();
                journal.removed(gone().map(|key| (escape(&key.name), why, key.age_seconds)))?;
            }
            let count = gone().count() as u64;
            group.removed += count;
            group.spared += each.len() as u64 - count;
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Removes by scripts that check the reason; each answers 1 if it removed something.
    pub(super) async fn remove(
        &mut self,
        group: &mut OrphanGroup,
        removals: Vec<Removal>,
    ) -> Result<()> {
        if !self.apply || group.refusal.is_some() {
            return Ok(());
        }
        for some in removals.chunks(self.pace.batch()) {
            let mut pipeline = Pipeline::with_capacity(some.len());
            for removal in some {
                pipeline.add_command(removal.command.clone());
            }
            let request = self.connection.ask_each("remove orphans", &pipeline);
            let answers = self.pace.during(some.len(), request).await??;
            let mut failed = None;
            let mut gone = Vec::new();
            for (removal, answer) in some.iter().zip(&answers) {
                if let Some(error) = answer_error("remove orphans", answer) {
                    failed = failed.or(Some(error.in_database(self.place.label())));
                } else if number(answer) == Some(1) {
                    gone.push(removal.name.clone());
                } else {
                    group.spared += 1;
                }
            }
            group.removed += gone.len() as u64;
            if let Some(journal) = &mut self.journal {
                let why = group.kind.name();
                journal.removed(gone.into_iter().map(|name| (name, why, 0)))?;
            }
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// A call of `script` with these keys, whose names get the place's prefix.
    pub(super) fn script<'k>(
        &self,
        script: &str,
        keys: impl ExactSizeIterator<Item = &'k [u8]>,
    ) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(keys.len());
        for key in keys {
            command.arg(self.place.on_server(key).as_ref());
        }
        command
    }
}

/// Whether the server may evict any key by its last use; also if it does not tell.
async fn evicts_by_use(connection: &mut Connection) -> bool {
    let info = Info::ask(connection, &["memory"]).await.unwrap_or_default();
    info.get("maxmemory_policy")
        .is_none_or(|policy| matches!(policy, "allkeys-lru" | "allkeys-lfu"))
}

//! By `DUMP` and `RESTORE`: between servers. A key is removed from the source only if nothing has
//! changed it since it was read.

use compartment_core::ErrorKind;
use compartment_redis::answer_error;
use redis::{Pipeline, Value};

use super::{Lane, Way, key_error, unexpected};
use crate::migrate::{Item, Outcome};
use crate::snapshot::{ExpiryCommand, Snapshot, take};
use crate::{AdminError, Result};

/// Removes KEYS[1] if it still dumps to what ARGV[1] is the hash of, for clusters, where keys of
/// several slots cannot be watched together.
const REMOVE_UNCHANGED: &str = "local now = redis.call('DUMP', KEYS[1])
if not now then return 1 end
if redis.sha1hex(now) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
return 1";

/// How many keys go at once, so that their values stay within [`BYTES_AT_ONCE`].
#[derive(Debug)]
pub(super) struct Sizing {
    keys: usize,
}

/// Values in memory at a time, on each lane.
const BYTES_AT_ONCE: usize = 4 << 20;
/// The most keys in one round trip: enough to be quick, few enough to share the server.
const MOST_KEYS: usize = 256;
/// To begin with, before the size of the values is known.
const FIRST_KEYS: usize = 16;

impl Sizing {
    pub(super) fn new() -> Self {
        Self { keys: FIRST_KEYS }
    }

    pub(super) fn keys(&self) -> usize {
        self.keys
    }

    fn learn(&mut self, keys: usize, bytes: usize) {
        let fit = BYTES_AT_ONCE / (bytes / keys.max(1)).max(1);
        // Larger by steps, smaller at once.
        self.keys = fit.clamp(1, (self.keys * 2).min(MOST_KEYS));
    }
}

impl Lane {
    pub(super) async fn dump(&mut self, items: &[Item]) -> Result<Vec<Outcome>> {
        let guard = !self.course.keep && !self.course.source.server().is_cluster();
        if guard {
            self.watch(items).await?;
        }
        let snapshots = self.fingerprints_in_source(items).await?;
        let bytes = snapshots.iter().flatten().map(|snapshot| snapshot.payload.len()).sum();
        self.keys_at_once.learn(items.len(), bytes);
        let mut outcomes = match self.way {
            Way::Typed => self.write_typed(items, &snapshots).await?,
            _ => self.restore(items, &snapshots).await?,
        };
        self.look_at_standing(items, &snapshots, &mut outcomes).await?;
        if !self.course.keep {
            let arrived = |outcome: &Outcome| matches!(outcome, Outcome::Done | Outcome::Same);
            let at: Vec<usize> = (0..items.len()).filter(|at| arrived(&outcomes[*at])).collect();
            let removed = match guard {
                true => self.remove_watched(items, &at).await?,
                false => self.remove_unchanged(items, &at, &snapshots).await?,
            };
            if removed.iter().any(|removed| !removed) {
                self.take_back(items, &snapshots, &at, &removed, &mut outcomes).await?;
            }
        }
        Ok(outcomes)
    }

    /// Each key on both sides, at about the same moment.
    pub(crate) async fn both_sides(
        &mut self,
        items: &[Item],
    ) -> Result<(Vec<Option<Snapshot>>, Vec<Option<Snapshot>>)> {
        let here = self.fingerprints_in_source(items).await?;
        let bytes = here.iter().flatten().map(|snapshot| snapshot.payload.len()).sum();
        self.keys_at_once.learn(items.len(), bytes);
        Ok((here, self.fingerprints_in_targets(items).await?))
    }

    pub(super) async fn fingerprints_in_source(
        &mut self,
        items: &[Item],
    ) -> Result<Vec<Option<Snapshot>>> {
        let expiry = ExpiryCommand::of(self.course.source.server().info());
        let names: Vec<Vec<u8>> = items.iter().map(|item| self.course.source_name(item)).collect();
        take(&mut self.source, expiry, &names).await
    }

    pub(super) async fn fingerprints_in_targets(
        &mut self,
        items: &[Item],
    ) -> Result<Vec<Option<Snapshot>>> {
        let mut snapshots = vec![None; items.len()];
        for number in 0..self.targets.len() {
            let mut at = Vec::new();
            let mut names = Vec::new();
            for (place, item) in items.iter().enumerate() {
                let (target, name) = self.course.destination(item);
                if target == number {
                    at.push(place);
                    names.push(name);
                }
            }
            if names.is_empty() {
                continue;
            }
            let expiry = ExpiryCommand::of(self.course.targets[number].server().info());
            let taken = take(&mut self.targets[number], expiry, &names).await?;
            for (place, snapshot) in at.into_iter().zip(taken) {
                snapshots[place] = snapshot;
            }
        }
        Ok(snapshots)
    }

    /// Writes what was read; a name that stands already is left as it is.
    async fn restore(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
    ) -> Result<Vec<Outcome>> {
        let mut commands = Vec::new();
        let mut at = Vec::new();
        let mut ends = Vec::new();
        for (place, (item, snapshot)) in items.iter().zip(snapshots).enumerate() {
            let Some(snapshot) = snapshot else { continue };
            let (number, name) = self.course.destination(item);
            let mut command = redis::cmd("RESTORE");
            command.arg(&name).arg(snapshot.expires_at.unwrap_or(0)).arg(&snapshot.payload);
            // Zero means no expiry either way.
            command.arg("ABSTTL");
            commands.push((number, command));
            at.push(place);
            ends.push((number, name));
        }
        let mut outcomes = vec![Outcome::Gone; items.len()];
        let mut unknown = Vec::new();
        let answers = self.ask_targets("restore", commands).await?;
        for ((place, answer), (number, name)) in at.into_iter().zip(answers).zip(ends) {
            outcomes[place] = match &answer {
                Value::Okay | Value::SimpleString(_) => Outcome::Done,
                Value::ServerError(error) if error.code() == "BUSYKEY" => Outcome::Conflict,
                Value::ServerError(error) if self.course.any_way && is_too_new(error) => {
                    unknown.push(place);
                    Outcome::Gone
                }
                other => match answer_error("restore", other) {
                    Some(error) => {
                        return Err(explain_refusal(key_error(&self.course, error, number, &name)));
                    }
                    None => return Err(unexpected(&self.course, "restore", other)),
                },
            };
        }
        // The target is older than the source: it is told the values in commands that it knows.
        for place in unknown {
            if let Some(snapshot) = &snapshots[place] {
                outcomes[place] = self.write_one(&items[place], snapshot).await?;
                self.way = Way::Typed;
            }
        }
        Ok(outcomes)
    }

    /// A name that stands in the target may be this very key, from an earlier run.
    async fn look_at_standing(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        let at: Vec<usize> =
            (0..items.len()).filter(|at| outcomes[*at] == Outcome::Conflict).collect();
        if at.is_empty() {
            return Ok(());
        }
        let some: Vec<Item> = at.iter().map(|at| items[*at].clone()).collect();
        for (at, there) in at.into_iter().zip(self.fingerprints_in_targets(&some).await?) {
            if let (Some(here), Some(there)) = (&snapshots[at], &there)
                && here.difference(there).is_none()
            {
                outcomes[at] = Outcome::Same;
            }
        }
        Ok(())
    }

    pub(super) async fn watch(&mut self, items: &[Item]) -> Result<()> {
        let mut command = redis::cmd("WATCH");
        for item in items {
            command.arg(self.course.source_name(item));
        }
        self.source.ask::<Value>("watch keys", &command).await?;
        Ok(())
    }

    /// Removes the keys from the source if none of those watched has changed; else tells which
    /// were removed: none.
    pub(super) async fn remove_watched(
        &mut self,
        items: &[Item],
        at: &[usize],
    ) -> Result<Vec<bool>> {
        if at.is_empty() {
            self.source.ask::<Value>("unwatch keys", &redis::cmd("UNWATCH")).await?;
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::new();
        pipeline.cmd("MULTI");
        let command = pipeline.cmd("UNLINK");
        for at in at {
            command.arg(self.course.source_name(&items[*at]));
        }
        pipeline.cmd("EXEC");
        let answers = self.source.ask_each("remove moved keys", &pipeline).await?;
        match answers.last() {
            Some(Value::Nil) => Ok(vec![false; at.len()]),
            Some(Value::Array(_)) => Ok(vec![true; at.len()]),
            Some(other) => {
                // What the transaction was refused for is in the answers before its end.
                let cause = answers.iter().find(|a| matches!(a, Value::ServerError(_)));
                Err(unexpected(&self.course, "remove moved keys", cause.unwrap_or(other)))
            }
            None => Err(unexpected(&self.course, "remove moved keys", &Value::Nil)),
        }
    }

    pub(super) async fn remove_unchanged(
        &mut self,
        items: &[Item],
        at: &[usize],
        snapshots: &[Option<Snapshot>],
    ) -> Result<Vec<bool>> {
        let mut pipeline = Pipeline::with_capacity(at.len());
        for at in at {
            let payload = snapshots[*at].as_ref().map_or(&[][..], |s| s.payload.as_slice());
            let name = self.course.source_name(&items[*at]);
            pipeline.cmd("EVAL").arg(REMOVE_UNCHANGED).arg(1).arg(name).arg(sha1(payload));
        }
        let answers = self.source.ask_each("remove moved keys", &pipeline).await?;
        let each = answers.iter();
        each.map(|answer| Ok(super::as_int(&self.course, "remove moved keys", answer)? == 1))
            .collect()
    }

    /// Of a page in which something was changed: keys that are still the same are removed from the
    /// source one by one, the others from the target, since what is there is out of date.
    async fn take_back(
        &mut self,
        items: &[Item],
        snapshots: &[Option<Snapshot>],
        at: &[usize],
        removed: &[bool],
        outcomes: &mut [Outcome],
    ) -> Result<()> {
        for (at, removed) in at.iter().zip(removed) {
            if *removed {
                continue;
            }
            let item = &items[*at..=*at];
            let unchanged = match self.course.source.server().is_cluster() {
                true => false,
                false => {
                    self.watch(item).await?;
                    let now = self.fingerprints_in_source(item).await?;
                    let same = match (&now[0], &snapshots[*at]) {
                        (Some(now), Some(then)) => now.difference(then).is_none(),
                        _ => false,
                    };
                    let places: &[usize] = if same { &[0] } else { &[] };
                    self.remove_watched(item, places).await?.first().copied().unwrap_or(false)
                }
            };
            if unchanged {
                continue;
            }
            if outcomes[*at] == Outcome::Done {
                self.remove_from_target(&items[*at], snapshots[*at].as_ref()).await?;
            }
            outcomes[*at] = Outcome::Changed;
        }
        Ok(())
    }

    /// Removes what this run has just written, if it is still that.
    async fn remove_from_target(&mut self, item: &Item, then: Option<&Snapshot>) -> Result<()> {
        let (number, name) = self.course.destination(item);
        let Some(then) = then else { return Ok(()) };
        let mut command = redis::cmd("EVAL");
        // A payload is written by the target's own version of the format.
        let now = self.fingerprints_in_targets(std::slice::from_ref(item)).await?;
        let Some(now) = now.into_iter().next().flatten() else { return Ok(()) };
        if now.difference(then).is_some() {
            return Ok(());
        }
        command.arg(REMOVE_UNCHANGED).arg(1).arg(name).arg(sha1(&now.payload));
        self.targets[number].ask::<Value>("remove an outdated copy", &command).await?;
        Ok(())
    }
}

fn sha1(bytes: &[u8]) -> String {
    sha1_smol::Sha1::from(bytes).digest().to_string()
}

fn is_too_new(error: &redis::ServerError) -> bool {
    error.details().is_some_and(|text| text.contains(TOO_NEW))
}

/// What a server answers to a payload of a version that it does not know.
const TOO_NEW: &str = "DUMP payload version";

/// A payload that the target does not know is no fault of the key.
fn explain_refusal(error: AdminError) -> AdminError {
    let AdminError::Server(server) = &error else { return error };
    let text = server.message();
    if server.kind() == ErrorKind::Protocol && text.contains(TOO_NEW) {
        return AdminError::Invalid(format!(
            "the target is older than the source and does not know its encodings ({}): take the \
             way {} (--strategy typed)",
            text,
            Way::Typed
        ));
    }
    error
}

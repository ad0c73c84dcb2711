//! The documents that the batch database and the ledger name: in batches, queues, waiting rows and projects.

use std::collections::HashSet;

use compartment_redis::{Connection, read_answer};
use redis::{Cmd, Pipeline, Value};

use super::known::{KnownDocuments, STATES, Unknown};
use crate::analyze::leaves_no_trace;
use crate::{Limits, Pace, Place, Walk};

/// Fields that are read together.
const FIELDS: usize = 500;

/// Takes off every document that is named somewhere.
///
/// # Errors
/// Why not everything could be read.
pub(super) async fn mentions(
    known: KnownDocuments<'_>,
    limits: Limits,
    unknown: &mut Unknown,
) -> Result<(), String> {
    let batch = known.batch;
    let read = Reading::of(batch, limits, unknown).await;
    read.map_err(|error| format!("{} could not be read whole: {error}", batch.label()))?;
    let Some(ledger) = known.ledger else { return Ok(()) };
    let mut mention = |text: &[u8]| unknown.named_in(text);
    ledger.each(&mut mention).await.map_err(|error| error.to_string())
}

/// A key of the batch database that names documents.
enum Names {
    /// A list of entries of a batch, at most a hundred.
    Entries,
    /// A hash of tasks, or of rows that wait for the ledger.
    Fields,
    /// A hash of the documents of a project, by name.
    Project,
}

impl Names {
    fn read(name: &[u8]) -> Option<Self> {
        if name.starts_with(b"{batch:") {
            let at = name.windows(4).rposition(|part| part == b"}:e:")?;
            return name[at + 4..].iter().all(u8::is_ascii_digit).then_some(Self::Entries);
        }
        let is_queue = name.starts_with(b"{queue:") && name.ends_with(b"}:tasks");
        if is_queue || name == b"compartment:task_outbox" {
            return Some(Self::Fields);
        }
        name.starts_with(b"project:documents:").then_some(Self::Project)
    }
}

/// The batch database, read key by key.
struct Reading<'a> {
    place: &'a Place,
    connection: Connection,
    pace: Pace,
    unknown: &'a mut Unknown,
    /// The names of the documents of projects.
    names: HashSet<Vec<u8>>,
}

impl<'a> Reading<'a> {
    async fn of(place: &'a Place, limits: Limits, unknown: &'a mut Unknown) -> crate::Result<()> {
        let mut connection = place.open("cleanup").await?;
        leaves_no_trace(&mut connection).await;
        let pace = Pace::new(limits, place).await?;
        pace.measure(&mut connection);
        let mut reading = Self { place, connection, pace, unknown, names: HashSet::new() };
        let states = STATES.split('{').next().unwrap_or(STATES).as_bytes();
        let mut walk = Walk::start(place, None).await?;
        // States of documents that nothing else names so far.
        let mut open: Vec<Vec<u8>> = Vec::new();
        loop {
            let Some(page) = reading.pace.next_page(&mut walk).await? else { break };
            for name in &page {
                match Names::read(name) {
                    Some(Names::Entries) => reading.entries(name).await?,
                    Some(Names::Fields) => reading.fields(name, false).await?,
                    Some(Names::Project) => reading.fields(name, true).await?,
                    None => {
                        let id = name.strip_prefix(states);
                        open.extend(id.filter(|id| reading.unknown.has(id)).map(<[u8]>::to_vec));
                    }
                }
            }
        }
        reading.states(states, &open).await
    }

    async fn ask<T: redis::FromRedisValue>(&mut self, command: &Cmd) -> crate::Result<T> {
        let request = self.connection.ask("read the documents of batches", command);
        Ok(self.pace.during(1, request).await??)
    }

    async fn entries(&mut self, name: &[u8]) -> crate::Result<()> {
        let mut command = redis::cmd("LRANGE");
        command.arg(self.place.on_server(name).as_ref()).arg(0).arg(-1);
        let entries: Vec<Vec<u8>> = self.ask(&command).await?;
        entries.iter().for_each(|entry| self.unknown.submitted(entry));
        Ok(())
    }

    /// The tasks of a queue by id, or the documents of a project by name.
    async fn fields(&mut self, name: &[u8], is_project: bool) -> crate::Result<()> {
        let mut cursor = 0_u64;
        loop {
            let mut command = redis::cmd("HSCAN");
            command.arg(self.place.on_server(name).as_ref()).arg(cursor).arg("COUNT").arg(FIELDS);
            let (next, parts): (u64, Vec<Vec<u8>>) = self.ask(&command).await?;
            // Fields and values take turns.
            for part in parts.into_iter().skip(usize::from(!is_project)).step_by(2) {
                match is_project {
                    true => drop(self.names.insert(part)),
                    false => self.unknown.submitted(task_of(&part)),
                }
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// Takes off documents whose name a project has.
    async fn states(&mut self, prefix: &[u8], ids: &[Vec<u8>]) -> crate::Result<()> {
        const READ: &str = "read the states of documents";
        if self.names.is_empty() {
            return Ok(());
        }
        for some in ids.chunks(self.pace.batch()) {
            let mut pipeline = Pipeline::with_capacity(some.len());
            for id in some {
                let key = [prefix, id].concat();
                pipeline.cmd("HGET").arg(self.place.on_server(&key).as_ref()).arg("name");
            }
            let request = self.connection.ask_each(READ, &pipeline);
            let answers: Vec<Value> = self.pace.during(some.len(), request).await??;
            for (id, answer) in some.iter().zip(answers) {
                let name: Option<Vec<u8>> = read_answer(READ, answer)?;
                if name.is_some_and(|name| self.names.contains(&name)) {
                    self.unknown.is_named(id);
                }
            }
        }
        Ok(())
    }
}

/// The payload of a queue's record: behind the class (a digit), the length of the group's name (3 digits), that name and
/// 14 digits of time. Another text as it is.
fn task_of(record: &[u8]) -> &[u8] {
    let payload = || {
        let length: usize = std::str::from_utf8(record.get(1..4)?).ok()?.parse().ok()?;
        record.get(4 + length + 14..)
    };
    let is_record = record.first().is_some_and(u8::is_ascii_digit);
    payload().filter(|_| is_record).unwrap_or(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_name_documents_are_found() {
        for (name, is_one) in [
            ("{batch:smith}:e:0", true),
            ("{batch:a}:e:b}:e:12", true),
            ("{batch:smith}:done", false),
            ("{queue:mail}:tasks", true),
            ("{queue:mail}:ready", false),
            ("compartment:task_outbox", true),
            ("project:documents:default", true),
            ("doc:state:abc", false),
        ] {
            assert_eq!(Names::read(name.as_bytes()).is_some(), is_one, "{name}");
        }
    }

    #[test]
    fn a_tasks_payload_is_behind_its_line_and_its_time() {
        assert_eq!(task_of(b"1003abc00001700000000{\"stage\":\"x\"}"), b"{\"stage\":\"x\"}");
        assert_eq!(task_of(b"{\"queue\":\"x\"}"), b"{\"queue\":\"x\"}");
        assert_eq!(task_of(b"1"), b"1");
    }
}

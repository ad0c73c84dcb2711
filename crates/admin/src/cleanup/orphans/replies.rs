//! Queues for replies of Celery's remote control that nobody reads, with their entries in the table of bindings.

use std::collections::HashMap;

use redis::Pipeline;

use super::OrphanKind;
use super::report::OrphanGroup;
use super::work::{Removal, Work};
use crate::analyze::number;
use crate::{Result, escape};

/// The end of the name of such a queue, and of the table that names them.
const REPLIES: &[u8] = b".reply.celery.pidbox";
const TABLE: &[u8] = b"_kombu.binding.reply.celery.pidbox";
/// The separator of the parts of an entry of the table.
const SEPARATOR: &[u8] = b"\x06\x16";
const SCRIPT: &str = include_str!("../../lua/remove_reply_queue.lua");

/// The look for such queues.
pub(super) struct Replies {
    pub(super) group: OrphanGroup,
    queues: Vec<Vec<u8>>,
    tables: Vec<Vec<u8>>,
}

impl Replies {
    pub(super) fn new() -> Self {
        let group = OrphanGroup::new(OrphanKind::UnreadReplies);
        Self { group, queues: Vec::new(), tables: Vec::new() }
    }

    pub(super) fn see(&mut self, name: &[u8]) {
        if name.ends_with(TABLE) {
            self.tables.push(name.to_vec());
        } else if name.ends_with(REPLIES) {
            self.queues.push(name.to_vec());
        }
    }

    /// Judges the queues that were seen. A queue exists only while it has a reply, and a reader that waits takes each at
    /// once: a queue that was idle for an hour has no reader.
    pub(super) async fn judge(&mut self, work: &mut Work<'_>) -> Result<()> {
        self.queues.sort();
        self.queues.dedup();
        if self.queues.is_empty() {
            return Ok(());
        }
        let entries = self.entries(work).await?;
        let bound = work.min_age().as_secs();
        for queues in std::mem::take(&mut self.queues).chunks(work.pace.batch()) {
            let mut pipeline = Pipeline::with_capacity(2 * queues.len());
            for queue in queues {
                let key = work.place.on_server(queue);
                pipeline.cmd("TYPE").arg(key.as_ref());
                pipeline.cmd("OBJECT").arg("IDLETIME").arg(key.as_ref());
            }
            let answers = work.ask(&pipeline, 2 * queues.len()).await?;
            let mut unread = Vec::new();
            for (queue, answers) in queues.iter().zip(answers.chunks(2)) {
                let kind: String = redis::from_redis_value(answers[0].clone()).unwrap_or_default();
                match answers.get(1).and_then(number) {
                    _ if kind != "list" => {}
                    None => self.group.age_unknown += 1,
                    Some(idle) if idle >= bound => unread.push(queue.as_slice()),
                    Some(_) => self.group.young += 1,
                }
            }
            work.weigh(&mut self.group, &unread).await?;
            self.group.keys += unread.len() as u64;
            let mut removals = Vec::with_capacity(unread.len());
            for queue in unread {
                self.group.example(queue);
                let (table, entry) = match entries.get(queue) {
                    Some((table, entry)) => (table.as_slice(), entry.as_slice()),
                    None => (TABLE, b"".as_slice()),
                };
                self.group.entries += u64::from(!entry.is_empty());
                let mut command = work.script(SCRIPT, [queue, table].into_iter());
                command.arg(bound).arg(entry);
                removals.push(Removal { name: escape(queue), command });
            }
            work.remove(&mut self.group, removals).await?;
        }
        Ok(())
    }

    /// The entries of the tables, by the queue that they name: the table and the entry.
    async fn entries(&self, work: &mut Work<'_>) -> Result<HashMap<Vec<u8>, (Vec<u8>, Vec<u8>)>> {
        let mut entries = HashMap::new();
        for table in &self.tables {
            let prefix = table.strip_suffix(TABLE).unwrap_or_default();
            let mut cursor = 0_u64;
            loop {
                let mut command = redis::cmd("SSCAN");
                command
                    .arg(work.place.on_server(table).as_ref())
                    .arg(cursor)
                    .arg("COUNT")
                    .arg(1_000);
                // A key of this name with another type is no table.
                let Some((next, members)) = work.ask_one::<(u64, Vec<Vec<u8>>)>(&command).await?
                else {
                    break;
                };
                for member in members {
                    let Some(queue) = queue_of(&member) else { continue };
                    let queue = [prefix, queue].concat();
                    entries.insert(queue, (table.clone(), member));
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(entries)
    }
}

/// The queue that an entry of a table names: the last of its parts.
fn queue_of(entry: &[u8]) -> Option<&[u8]> {
    let at = entry.windows(SEPARATOR.len()).rposition(|two| two == SEPARATOR)?;
    Some(&entry[at + SEPARATOR.len()..])
}

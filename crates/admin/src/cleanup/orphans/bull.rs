//! Queues of BullMQ and Bull: entries and data without their job, and jobs that no part of their queue names.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use redis::{Pipeline, Value};

use super::OrphanKind;
use super::entries::{Entry, REMOVE_ENTRY, take_without_job};
use super::members::{LONGEST, Members, existing, length, types};
use super::report::OrphanGroup;
use super::work::{Removal, Work};
use crate::{KeyType, Result, escape};

/// The parts of a queue that a job may stand in, and their types.
const PARTS: [(&str, KeyType); 10] = [
    ("wait", KeyType::List),
    ("active", KeyType::List),
    ("paused", KeyType::List),
    ("delayed", KeyType::Zset),
    ("prioritized", KeyType::Zset),
    ("completed", KeyType::Zset),
    ("failed", KeyType::Zset),
    ("waiting-children", KeyType::Zset),
    ("priority", KeyType::Zset),
    ("stalled", KeyType::Set),
];
/// The parts of which entries without a job are removed: those of the others go with them.
const MENDED: usize = 8;
/// One of these is there as long as the queue: BullMQ has `meta`, Bull has `id`.
const SIGNS: [(&str, KeyType); 2] = [("meta", KeyType::Hash), ("id", KeyType::String)];
/// BullMQ Pro keeps jobs in groups as well, whose form is not known here.
const GROUPS: [&str; 4] = ["groups", "groups:paused", "groups:limit", "groups:max"];
/// Other parts of a queue, which are not jobs.
const OTHERS: [&str; 11] = [
    "events",
    "marker",
    "pc",
    "limiter",
    "stalled-check",
    "repeat",
    "de",
    "metrics",
    "added",
    "resumed",
    "drained",
];
/// Data of a job besides its hash. Its `lock` has a TTL.
const DATA: [&str; 5] = ["logs", "dependencies", "processed", "failed", "unsuccessful"];

const DEFAULT_PREFIX: &[u8] = b"bull:";
/// Parts of their types that make a queue with another prefix certain.
const NEEDS: usize = 3;
const MAX_QUEUES: usize = 4_096;
const REMOVE_JOB: &str = include_str!("../../lua/remove_job.lua");

/// A queue, by the common beginning of its keys.
#[derive(Default)]
struct Queue {
    /// The jobs that its parts name.
    named: HashSet<Vec<u8>>,
    /// Why its jobs are only reported.
    unsure: Option<&'static str>,
}

/// The look at such queues.
pub(super) struct Bull {
    pub(super) entries: OrphanGroup,
    pub(super) outside: OrphanGroup,
    stems: BTreeSet<Vec<u8>>,
    queues: BTreeMap<Vec<u8>, Queue>,
}

impl Bull {
    pub(super) fn new() -> Self {
        Self {
            entries: OrphanGroup::new(OrphanKind::EntriesWithoutJob),
            outside: OrphanGroup::new(OrphanKind::JobsOutsideQueues),
            stems: BTreeSet::new(),
            queues: BTreeMap::new(),
        }
    }

    pub(super) fn see(&mut self, name: &[u8]) {
        for (sign, _) in SIGNS {
            let stem = name.strip_suffix(sign.as_bytes()).and_then(|stem| stem.strip_suffix(b":"));
            if let Some(stem) =
                stem.filter(|stem| !stem.is_empty() && self.stems.len() < MAX_QUEUES)
            {
                self.stems.insert(stem.to_vec());
            }
        }
    }

    pub(super) fn wants_names(&self) -> bool {
        !self.queues.is_empty()
    }

    /// Reads the queues among the names that were seen, and looks for entries whose job is gone.
    pub(super) async fn judge(&mut self, work: &mut Work<'_>) -> Result<()> {
        for stem in std::mem::take(&mut self.stems) {
            if !is_queue(work, &stem).await? {
                continue;
            }
            if !work.may_read {
                self.entries.note(
                    "queues of BullMQ and Bull are left out: to read them would count as their use on this \
                     server, whose policy evicts by use",
                );
                continue;
            }
            let queue = self.read(work, &stem).await?;
            self.queues.insert(stem, queue);
        }
        Ok(())
    }

    async fn read(&mut self, work: &mut Work<'_>, stem: &[u8]) -> Result<Queue> {
        let mut queue = Queue::default();
        let groups = vec![GROUPS.iter().map(|part| part_of(stem, part)).collect::<Vec<_>>()];
        if existing(work, &groups).await? != [0] {
            queue.unsure = Some("a queue has groups of BullMQ Pro, which may name jobs as well");
        }
        let mut waiting = 0;
        for (at, (part, key_type)) in PARTS.iter().enumerate() {
            let key = part_of(stem, part);
            let mut is_long = false;
            if *key_type == KeyType::List {
                let entries = length(work, &key).await?;
                waiting += entries;
                is_long = entries > LONGEST;
            }
            let mut members = Members::of(&key, *key_type);
            while let Some(page) = members.next_page(work).await? {
                if at < MENDED {
                    self.entries_of(work, stem, &key, &page, is_long).await?;
                }
                queue.named.extend(page);
            }
        }
        if waiting > LONGEST {
            queue.unsure = queue.unsure.or(Some("a queue is too long to search for a single job"));
        }
        Ok(queue)
    }

    /// Takes the entries of a part whose job is gone.
    async fn entries_of(
        &mut self,
        work: &mut Work<'_>,
        stem: &[u8],
        part: &[u8],
        page: &[Vec<u8>],
        is_long: bool,
    ) -> Result<()> {
        // BullMQ's markers begin with 0.
        let ids = page.iter().filter(|id| !id.is_empty() && !id.starts_with(b"0:") && *id != b"0");
        let entries = ids.map(|id| Entry { member: id, jobs: vec![job_of(stem, id)] }).collect();
        take_without_job(work, &mut self.entries, part, entries, is_long).await
    }

    /// Looks at the jobs, and their data, among the names of a page.
    pub(super) async fn page(&mut self, work: &mut Work<'_>, names: &[Vec<u8>]) -> Result<()> {
        let (mut jobs, mut data) = (Vec::new(), Vec::new());
        for name in names {
            let Some((stem, queue, rest)) = self.queue_of(name) else { continue };
            match Named::read(rest) {
                Some(Named::Job(id)) if !queue.named.contains(id) => {
                    jobs.push((stem.to_vec(), id.to_vec(), queue.unsure));
                }
                Some(Named::Data(id)) => data.push((name.clone(), job_of(stem, id))),
                _ => {}
            }
        }
        self.data_of(work, &data).await?;
        for some in jobs.chunks(work.pace.batch()) {
            self.jobs_of(work, some).await?;
        }
        Ok(())
    }

    /// The queue of a key: the one with the longest stem; and the rest of the name.
    fn queue_of<'n>(&self, name: &'n [u8]) -> Option<(&'n [u8], &Queue, &'n [u8])> {
        let colons = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b':');
        let mut stems = colons.map(|(at, _)| (&name[..at], &name[at + 1..]));
        stems.find_map(|(stem, rest)| Some((stem, self.queues.get(stem)?, rest)))
    }

    /// Takes data whose job is gone.
    async fn data_of(&mut self, work: &mut Work<'_>, data: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
        let jobs: Vec<Vec<Vec<u8>>> = data.iter().map(|(_, job)| vec![job.clone()]).collect();
        let there = existing(work, &jobs).await?;
        let gone: Vec<_> = data.iter().zip(&there).filter(|(_, there)| **there == 0).collect();
        let names: Vec<&[u8]> = gone.iter().map(|((name, _), _)| name.as_slice()).collect();
        work.weigh(&mut self.entries, &names).await?;
        let mut removals = Vec::new();
        for ((name, job), _) in gone {
            self.entries.keys += 1;
            self.entries.example(name);
            let keys = [name.as_slice(), job.as_slice()];
            let command = work.script(REMOVE_ENTRY, keys.into_iter());
            removals.push(Removal { name: escape(name), command });
        }
        work.remove(&mut self.entries, removals).await
    }

    /// Takes jobs that no part of their queue names.
    async fn jobs_of(
        &mut self,
        work: &mut Work<'_>,
        jobs: &[(Vec<u8>, Vec<u8>, Option<&'static str>)],
    ) -> Result<()> {
        let mut pipeline = Pipeline::with_capacity(jobs.len());
        for (stem, id, _) in jobs {
            let key = job_of(stem, id);
            let fields = ["data", "timestamp", "parentKey", "parent"];
            pipeline.cmd("HMGET").arg(work.place.on_server(&key).as_ref()).arg(&fields);
        }
        let answers = work.ask(&pipeline, jobs.len()).await?;
        let min_age = work.min_age();
        let (mut keys, mut removals) = (Vec::new(), Vec::new());
        for ((stem, id, unsure), answer) in jobs.iter().zip(answers) {
            let key = job_of(stem, id);
            let Some(Job { timestamp, has_parent }) = Job::read(answer) else { continue };
            let unsure =
                unsure.or(has_parent.then_some("jobs that a parent waits for are only reported"));
            if work.old_enough(timestamp, min_age).is_none() {
                self.outside.young += 1;
            } else if let Some(why) = unsure {
                self.outside.unsure += 1;
                self.outside.note(why);
                self.outside.example(&key);
            } else {
                removals.push(removal_of(work, stem, id));
                keys.push(key);
            }
        }
        let names: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        work.weigh(&mut self.outside, &names).await?;
        self.outside.keys += keys.len() as u64;
        names.iter().for_each(|name| self.outside.example(name));
        work.remove(&mut self.outside, removals).await
    }
}

/// A key of a queue that belongs to a job.
enum Named<'n> {
    Job(&'n [u8]),
    Data(&'n [u8]),
}

impl<'n> Named<'n> {
    /// Reads the rest of a name behind its queue's stem; `None` for the queue's own parts.
    fn read(rest: &'n [u8]) -> Option<Self> {
        let (id, data) = match rest.iter().position(|byte| *byte == b':') {
            None => (rest, None),
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        };
        let parts = PARTS.iter().map(|(part, _)| *part).chain(SIGNS.iter().map(|(sign, _)| *sign));
        let mut own = parts.chain(OTHERS).chain(["groups"]);
        if id.is_empty() || own.any(|part| part.as_bytes() == id) {
            return None;
        }
        match data {
            None => Some(Self::Job(id)),
            Some(data) if DATA.iter().any(|one| one.as_bytes() == data) => Some(Self::Data(id)),
            Some(_) => None,
        }
    }
}

/// The fields of a job's hash that decide.
struct Job {
    /// When it was added, in milliseconds since 1970.
    timestamp: u64,
    has_parent: bool,
}

impl Job {
    /// `None` for a key that is not the hash of a job.
    fn read(answer: Value) -> Option<Self> {
        let fields: Vec<Option<Vec<u8>>> = redis::from_redis_value(answer).ok()?;
        let [Some(_), Some(timestamp), parent_key, parent] = fields.as_slice() else { return None };
        let timestamp = std::str::from_utf8(timestamp).ok()?.parse().ok()?;
        Some(Self { timestamp, has_parent: parent_key.is_some() || parent.is_some() })
    }
}

/// Whether the keys with this beginning are a queue of BullMQ or Bull.
async fn is_queue(work: &mut Work<'_>, stem: &[u8]) -> Result<bool> {
    let all = || SIGNS.iter().chain(&PARTS);
    let keys: Vec<Vec<u8>> = all().map(|(part, _)| part_of(stem, part)).collect();
    let found = types(work, &keys).await?;
    let fits = |(found, (_, key_type)): (&Option<KeyType>, &(&str, KeyType))| {
        found.as_ref().is_none_or(|found| found == key_type)
    };
    if !found.iter().zip(all()).all(fits) {
        return Ok(false);
    }
    let count = |types: &[Option<KeyType>]| types.iter().flatten().count();
    let (signs, parts) = found.split_at(SIGNS.len());
    let needs = if stem.starts_with(DEFAULT_PREFIX) { 2 } else { NEEDS };
    // `stalled` and `priority` are words that other programs use.
    let is_certain = count(signs) > 0 && count(&parts[..MENDED]) > 0;
    Ok(is_certain && count(signs) + count(parts) >= needs)
}

fn removal_of(work: &Work<'_>, stem: &[u8], id: &[u8]) -> Removal {
    let name = job_of(stem, id);
    let data = |what: &str| [name.as_slice(), b":", what.as_bytes()].concat();
    let mut keys = vec![name.clone(), data("lock")];
    keys.extend(PARTS.iter().map(|(part, _)| part_of(stem, part)));
    keys.extend(DATA.iter().map(|what| data(what)));
    let mut command = work.script(REMOVE_JOB, keys.iter().map(Vec::as_slice));
    command.arg(id).arg(PARTS.len());
    Removal { name: escape(&name), command }
}

fn part_of(stem: &[u8], part: &str) -> Vec<u8> {
    job_of(stem, part.as_bytes())
}

fn job_of(stem: &[u8], id: &[u8]) -> Vec<u8> {
    [stem, b":", id].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_queue_is_a_job_its_data_or_a_part() {
        let read = |rest: &str| match Named::read(rest.as_bytes()) {
            Some(Named::Job(id)) => format!("job {}", String::from_utf8_lossy(id)),
            Some(Named::Data(id)) => format!("data of {}", String::from_utf8_lossy(id)),
            None => "part".to_owned(),
        };
        assert_eq!(read("17"), "job 17");
        assert_eq!(read("17:logs"), "data of 17");
        for part in ["wait", "meta", "failed", "17:lock", "repeat:x:1", "de:logs", "groups:a", ""] {
            assert_eq!(read(part), "part", "{part}");
        }
    }
}

//! Queues of RQ: entries whose job is gone, and jobs that nothing names.

use std::collections::HashSet;

use redis::{Pipeline, Value};

use super::OrphanKind;
use super::entries::{Entry, take_without_job};
use super::members::{LONGEST, Members, length};
use super::report::OrphanGroup;
use super::work::Work;
use crate::{KeyType, Result};

const QUEUE: &[u8] = b"rq:queue:";
const REGISTRIES: [&[u8]; 6] = [
    b"rq:wip:",
    b"rq:finished:",
    b"rq:failed:",
    b"rq:deferred:",
    b"rq:scheduled:",
    b"rq:canceled:",
];
const JOB: &[u8] = b"rq:job:";

/// The look at such queues.
pub(super) struct Rq {
    pub(super) entries: OrphanGroup,
    pub(super) outside: OrphanGroup,
    collections: Vec<(Vec<u8>, KeyType)>,
    named: HashSet<Vec<u8>>,
    has_jobs: bool,
}

impl Rq {
    pub(super) fn new() -> Self {
        Self {
            entries: OrphanGroup::new(OrphanKind::EntriesWithoutJob),
            outside: OrphanGroup::new(OrphanKind::JobsOutsideQueues),
            collections: Vec::new(),
            named: HashSet::new(),
            has_jobs: false,
        }
    }

    pub(super) fn see(&mut self, name: &[u8]) {
        self.has_jobs |= name.starts_with(JOB);
        if name.starts_with(QUEUE) {
            self.collections.push((name.to_vec(), KeyType::List));
        } else if REGISTRIES.iter().any(|registry| name.starts_with(registry)) {
            self.collections.push((name.to_vec(), KeyType::Zset));
        }
    }

    pub(super) fn wants_names(&self) -> bool {
        self.has_jobs
    }

    pub(super) async fn judge(&mut self, work: &mut Work<'_>) -> Result<()> {
        self.collections.sort();
        self.collections.dedup();
        if !work.may_read {
            if !self.collections.is_empty() {
                self.entries.note(
                    "queues of RQ are left out: to read them would count as their use on this server, whose \
                     policy evicts by use",
                );
            }
            self.has_jobs = false;
            return Ok(());
        }
        for (key, key_type) in std::mem::take(&mut self.collections) {
            let is_list = key_type == KeyType::List;
            let is_long = is_list && length(work, &key).await? > LONGEST;
            let mut members = Members::of(&key, key_type);
            while let Some(page) = members.next_page(work).await? {
                self.entries_of(work, &key, &page, is_long).await?;
                for member in page {
                    self.named.extend(job_before_execution(&member).map(<[u8]>::to_vec));
                    self.named.insert(member);
                }
            }
        }
        Ok(())
    }

    async fn entries_of(
        &mut self,
        work: &mut Work<'_>,
        key: &[u8],
        page: &[Vec<u8>],
        is_long: bool,
    ) -> Result<()> {
        let job = |id: &[u8]| [JOB, id].concat();
        let jobs_of = |member: &Vec<u8>| {
            let whole = std::iter::once(job(member));
            whole.chain(job_before_execution(member).map(job)).collect::<Vec<_>>()
        };
        let entries = page.iter().map(|member| Entry { member, jobs: jobs_of(member) }).collect();
        take_without_job(work, &mut self.entries, key, entries, is_long).await
    }

    /// Reports the jobs of a page that nothing names and that have no TTL. RQ takes a job off its queue before a registry
    /// names it, so no look proves that one is lost.
    pub(super) async fn page(&mut self, work: &mut Work<'_>, names: &[Vec<u8>]) -> Result<()> {
        if !self.has_jobs {
            return Ok(());
        }
        let is_outside = |id: &&[u8]| !id.contains(&b':') && !self.named.contains(*id);
        let ids = names.iter().filter_map(|name| name.strip_prefix(JOB)).filter(is_outside);
        let ids: Vec<&[u8]> = ids.collect();
        for some in ids.chunks(work.pace.batch()) {
            let mut pipeline = Pipeline::with_capacity(some.len());
            for id in some {
                let key = [JOB, id].concat();
                pipeline.cmd("PTTL").arg(work.place.on_server(&key).as_ref());
            }
            let answers = work.ask(&pipeline, some.len()).await?;
            for (id, _) in some.iter().zip(&answers).filter(|(_, left)| **left == Value::Int(-1)) {
                self.outside.unsure += 1;
                self.outside.example(&[JOB, id].concat());
                self.outside.note(
                    "jobs of RQ are only reported: RQ takes a job off its queue before a registry names it",
                );
            }
        }
        Ok(())
    }
}

/// The job of an entry that names an execution of it, as `rq:wip:` does since RQ 2.
fn job_before_execution(member: &[u8]) -> Option<&[u8]> {
    let at = member.iter().rposition(|byte| *byte == b':')?;
    Some(&member[..at])
}

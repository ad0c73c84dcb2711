//! Orphans of one database: keys and entries of what does not exist any more, found by the rules of their programs.

mod bull;
mod documents;
mod entries;
mod kind;
mod known;
mod leases;
mod members;
mod mentions;
mod options;
mod replies;
mod report;
mod results;
mod rq;
mod work;

use std::time::Instant;

use compartment_core::{DatabaseKind, DatabaseMap};

pub use kind::OrphanKind;
pub use known::{KnownDocuments, LedgerDocuments};
pub use options::OrphanOptions;
pub use report::{OrphanGroup, OrphanReport};

use self::bull::Bull;
use self::documents::Documents;
use self::leases::Leases;
use self::replies::Replies;
use self::results::Results;
use self::rq::Rq;
use self::work::Work;
use super::refusals::{contract_of, shared_index};
use crate::{Place, Progress, Result, Walk};

/// Looks for the orphans of `place`, and removes them with [`OrphanOptions::apply`].
///
/// Each removal is a script that checks its reason again, since programs go on writing. `documents` says where documents
/// are known, or why that cannot be asked: then keys of documents are refused, and the other kinds are looked for. A
/// database that shares its index is refused, and nothing in it is removed.
///
/// # Errors
/// The server's and the journal's: some orphans may be gone, and the journal has their names.
pub async fn orphans(
    place: &Place,
    map: &DatabaseMap,
    options: &OrphanOptions,
    documents: Result<KnownDocuments<'_>, String>,
    progress: &dyn Progress,
) -> Result<OrphanReport> {
    let began = Instant::now();
    let mut report = OrphanReport {
        database: place.label().to_owned(),
        kind: contract_of(place, map).map(|contract| contract.kind),
        refusals: shared_index(place, map).await?,
        ..OrphanReport::default()
    };
    if report.refusals.is_empty() {
        if place.server().is_cluster() {
            report.notes.push(NOT_ON_A_CLUSTER.to_owned());
        }
        report.applied = options.apply;
        let mut look = Look::start(place, map, options).await?;
        look.through(documents, progress).await?;
        look.into_report(&mut report);
    }
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// The scripts that judge and remove these have keys in several slots.
const NOT_ON_A_CLUSTER: &str =
    "on a cluster, reply queues and the queues of BullMQ, Bull and RQ are not looked at";

struct Look<'a> {
    work: Work<'a>,
    documents: Documents<'a>,
    results: Results,
    replies: Replies,
    bull: Bull,
    rq: Rq,
    leases: Leases,
    /// Locks and limits alone: no other program keeps keys there.
    leases_only: bool,
    seen: u64,
}

impl<'a> Look<'a> {
    async fn start(
        place: &'a Place,
        map: &'a DatabaseMap,
        options: &OrphanOptions,
    ) -> Result<Look<'a>> {
        let work = Work::start(place, options).await?;
        let contract = contract_of(place, map);
        let mut results = Results::new();
        if let Some(contract) = contract
            && contract.kind == DatabaseKind::Durable
            && contract.default_ttl.is_none()
        {
            results.refuse(format!(
                "{} is durable, and its contract gives keys no TTL: choose results with --pattern \
                 'celery-task-meta-*', or set a default_ttl",
                place.label()
            ));
        }
        Ok(Self {
            documents: Documents::new(place, map, work.min_age()),
            results,
            replies: Replies::new(),
            bull: Bull::new(),
            rq: Rq::new(),
            leases: Leases::new(),
            leases_only: contract.is_some_and(|one| one.kind == DatabaseKind::Coordination),
            seen: 0,
            work,
        })
    }

    async fn through(
        &mut self,
        known: Result<KnownDocuments<'_>, String>,
        progress: &dyn Progress,
    ) -> Result<()> {
        let work = &mut self.work;
        let has_programs = !self.leases_only && !work.place.server().is_cluster();
        progress.begin("look for orphans", work.place.known_keys().await);
        let mut walk = Walk::start(work.place, None).await?;
        loop {
            let Some(page) = work.pace.next_page(&mut walk).await? else { break };
            self.seen += page.len() as u64;
            progress.advance(page.len() as u64);
            for name in &page {
                self.leases.see(name);
                if !self.leases_only {
                    self.documents.see(name);
                }
                if has_programs {
                    self.replies.see(name);
                    self.bull.see(name);
                    self.rq.see(name);
                }
            }
            if !self.leases_only {
                self.results.page(work, &page).await?;
            }
        }
        self.leases.judge(work).await?;
        self.replies.judge(work).await?;
        self.bull.judge(work).await?;
        self.rq.judge(work).await?;
        self.documents.judge(work, known).await?;
        if !(self.documents.wants_names() || self.bull.wants_names() || self.rq.wants_names()) {
            return Ok(());
        }
        progress.begin("look at their keys", None);
        let mut walk = Walk::start(work.place, None).await?;
        loop {
            let Some(page) = work.pace.next_page(&mut walk).await? else { break };
            progress.advance(page.len() as u64);
            self.documents.page(work, &page).await?;
            self.bull.page(work, &page).await?;
            self.rq.page(work, &page).await?;
        }
        Ok(())
    }

    fn into_report(self, report: &mut OrphanReport) {
        report.seen = self.seen;
        let (bull, rq) = (self.bull, self.rq);
        let all = [
            self.documents.group,
            self.results.group,
            bull.entries.and(rq.entries),
            bull.outside.and(rq.outside),
            self.replies.group,
            self.leases.group,
        ];
        report.found = all.into_iter().filter(|group| !group.is_empty()).collect();
        report.found.iter_mut().for_each(OrphanGroup::estimate);
    }
}

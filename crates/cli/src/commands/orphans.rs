//! `compartment cleanup --orphans`: counts what belongs to nothing any more, and removes it.

use compartment::database_map::{LedgerAddress, Role, Scheme};
use compartment::pipeline::ledger::Ledger;
use compartment_admin::{
    AdminError, KnownDocuments, LedgerDocuments, Limits, OrphanGroup, OrphanOptions, OrphanReport,
    Place, Progress, orphans,
};
use futures_util::future::BoxFuture;

use crate::args::{self, LedgerArgument};
use crate::exit_code::{CliError, ExitCode};
use crate::key_progress::KeyProgress;
use crate::places;
use crate::screen::{self, FAINT, STRONG};
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, command: args::Cleanup) -> Result<ExitCode, CliError> {
    let mut options = OrphanOptions::default();
    options.older_than = command.older_than;
    options.limits = command.load.into();
    options.apply = command.apply;
    options.journal.clone_from(&command.journal);
    let known = Known::open(settings, &command.ledger).await?;
    let names = command.database.map_or_else(|| on_servers(settings), |name| vec![name]);
    let mut reports = Vec::new();
    for name in names {
        let place = places::resolve_in(settings, &name).await?;
        let progress = KeyProgress::new();
        let report = known.look(settings, &place, &options, &progress).await;
        progress.clear();
        reports.push(report?);
    }
    known.close().await;
    if command.json {
        screen::say_json(&reports);
    } else {
        reports.iter().for_each(show);
        let is_left = reports.iter().any(|report| !report.applied && !report.found.is_empty());
        if is_left && !command.apply {
            screen::remark("nothing was changed; --apply removes them");
        }
    }
    let is_refused = reports.iter().any(OrphanReport::is_refused);
    Ok(if is_refused { ExitCode::Unsafe } else { ExitCode::Success })
}

/// The databases of the map that are on servers.
pub(super) fn on_servers(settings: &Settings) -> Vec<String> {
    let instances = settings.map.instances();
    let is_on_server = |name: &str| {
        instances.get(name).is_some_and(|instance| instance.url.scheme() != Scheme::Memory)
    };
    let all = settings.map.databases().iter();
    let there = all.filter(|contract| is_on_server(contract.placement.instance()));
    there.map(|contract| contract.name.clone()).collect()
}

/// Where documents are known.
pub(super) struct Known {
    /// The database of batches, or why it cannot be asked.
    batch: Result<Place, String>,
    /// The ledger if there is one, or why it cannot be asked.
    ledger: Result<Option<OfLedger>, String>,
}

impl Known {
    /// The batch database of the map, and the ledger. One that is configured and missing is a reason to refuse.
    pub(super) async fn open(
        settings: &Settings,
        argument: &LedgerArgument,
    ) -> Result<Self, CliError> {
        let name = settings.map.roles().database(Role::Batch);
        let batch = match settings.map.database(name) {
            Some(_) => places::resolve_in(settings, name).await.map_err(|error| error.to_string()),
            None => Err(format!("the map has no database {name:?} for batches")),
        };
        let is_missing = |address: &LedgerAddress| matches!(address, LedgerAddress::Sqlite(path) if !path.exists());
        let ledger = match argument.configured(&settings.map)? {
            Some(address) if is_missing(&address) => Err(format!("no ledger found at {address}")),
            Some(address) => Ok(Some(OfLedger(Ledger::new(address)))),
            // The ledger that workers write by default, where one has.
            None => {
                let address = argument.address(&settings.map)?;
                let there = address.filter(|address| !is_missing(address));
                Ok(there.map(|address| OfLedger(Ledger::new(address))))
            }
        };
        Ok(Self { batch, ledger })
    }

    fn documents(&self) -> Result<KnownDocuments<'_>, String> {
        let batch = self.batch.as_ref().map_err(Clone::clone)?;
        let ledger = self.ledger.as_ref().map_err(Clone::clone)?.as_ref();
        Ok(KnownDocuments::new(batch, ledger.map(|ledger| ledger as &dyn LedgerDocuments)))
    }

    pub(super) async fn look(
        &self,
        settings: &Settings,
        place: &Place,
        options: &OrphanOptions,
        progress: &dyn Progress,
    ) -> Result<OrphanReport, AdminError> {
        orphans(place, &settings.map, options, self.documents(), progress).await
    }

    pub(super) async fn close(self) {
        if let Ok(Some(OfLedger(ledger))) = self.ledger {
            ledger.close().await;
        }
    }
}

/// The documents of a ledger.
struct OfLedger(Ledger);

impl LedgerDocuments for OfLedger {
    fn each<'a>(
        &'a self,
        mention: &'a mut (dyn FnMut(&[u8]) + Send),
    ) -> BoxFuture<'a, Result<(), compartment::Error>> {
        Box::pin(async move { self.0.each_document(|text| mention(text)).await })
    }
}

/// Options of a removal that others hardly notice.
pub(super) fn gentle(older_than: Option<std::time::Duration>, limits: Limits) -> OrphanOptions {
    let mut options = OrphanOptions::default();
    options.older_than = older_than;
    options.limits = limits;
    options.apply = true;
    options
}

fn show(report: &OrphanReport) {
    let name = &report.database;
    screen::say_refusals(&refusals(report));
    for note in &report.notes {
        screen::remark(format!("{name}: {note}"));
    }
    if report.found.is_empty() {
        if report.refusals.is_empty() {
            let seen = screen::counted(report.seen, "key");
            screen::say(format!("{STRONG}{name}{STRONG:#}: no orphans among {seen}"));
        }
        return;
    }
    let seen = screen::counted(report.seen, "key");
    screen::say(format!("{STRONG}{name}{STRONG:#}: {seen} looked at"));
    let last = if report.applied { "removed" } else { "stay" };
    let mut table = screen::table(&["orphans", "keys", "entries", "bytes", last], &[1, 2, 3, 4]);
    for group in &report.found {
        let stay = group.young + group.age_unknown + group.unsure;
        table.add_row([
            group.kind.to_string(),
            screen::count(group.keys),
            screen::count(group.entries),
            group.bytes.map_or_else(|| "–".to_owned(), compartment_admin::size),
            screen::count(if report.applied { group.removed } else { stay }),
        ]);
    }
    screen::say_lines(table.to_string());
    report.found.iter().for_each(explain);
}

/// Why the database, or kinds of orphans in it, are left alone.
pub(super) fn refusals(report: &OrphanReport) -> Vec<String> {
    let name = &report.database;
    let whole = report.refusals.iter().cloned();
    let kinds = report.found.iter().filter_map(|group| {
        let why = group.refusal.as_ref()?;
        Some(format!("{} of {name}: {why}", group.kind))
    });
    whole.chain(kinds).collect()
}

/// The reasons of one kind, with names.
fn explain(group: &OrphanGroup) {
    let mut text = format!("{}: {}", group.kind, group.why);
    if !group.examples.is_empty() {
        text += &format!(", such as {}", group.examples.join(", "));
    }
    screen::say_lines(screen::wrapped(&text));
    let stays = [
        (group.spared, "stayed: the reason did not hold any more"),
        (group.young, "stay: they are younger"),
        (group.age_unknown, "stay: nothing tells their age"),
        (group.unsure, "are only reported"),
    ];
    for (count, why) in stays.iter().filter(|(count, _)| *count > 0) {
        screen::say(format!("{FAINT}  {} {why}{FAINT:#}", screen::count(*count)));
    }
    for note in &group.notes {
        screen::say_lines(screen::indented(note, "  ", "  "));
    }
}

//! Turns an analysis into a plan: the target of each group, when it may move, and remarks.

use std::collections::{BTreeMap, BTreeSet};

use compartment_core::{Contract, DatabaseKind, DatabaseMap};

use super::collisions::collisions;
use super::databases::{database_for, suggested};
use super::indexes::{Indexes, indexes};
use super::near::on_source_server;
use super::places::PlanPlaces;
use super::server_notes::server_notes;
use super::{Group, Plan, PlanSource, PlanTarget, Verdict};
use crate::frameworks;
use crate::{Analysis, KeyGroupReport, KeyType, Limits, Place, Progress, Purpose, Result};

/// The time that MOVE takes for a key of any size, in milliseconds.
const MOVE_MS: f64 = 0.1;
/// The time of COPY per byte, in milliseconds: measured 371 ms for 80 MB.
const COPY_MS: f64 = 4.6e-6;
/// The time of DUMP per byte, in milliseconds: measured 661 ms for 80 MB.
const DUMP_MS: f64 = 8.0e-6;

/// Proposes a plan. Without `places` (the analysis is of a dump) it lacks facts that only servers
/// have: collisions and search indexes.
///
/// # Errors
/// The server's.
pub async fn propose(
    analysis: &Analysis,
    map: &DatabaseMap,
    places: Option<&PlanPlaces>,
    limits: Limits,
    progress: &dyn Progress,
) -> Result<Plan> {
    let indexes = match places {
        // Search indexes cover database 0 only.
        Some(places) if analysis.source.index == 0 => {
            indexes(&mut places.source.open("plan").await?).await
        }
        _ => Indexes::default(),
    };
    let mut reports: Vec<&KeyGroupReport> = analysis.groups.iter().collect();
    reports.sort_by_key(|report| report.order);
    let near = match places {
        Some(places) => on_source_server(places).await?,
        None => BTreeSet::new(),
    };
    let draft = Draft { analysis, map, places, near, indexes: &indexes };
    let mut groups: Vec<Group> = reports.iter().map(|report| draft.group(report)).collect();
    keep_together(&mut groups, &draft);
    for (group, report) in groups.iter_mut().zip(&reports) {
        draft.finish(group, report);
    }
    let targets = draft.targets();
    let mut plan = Plan {
        version: 1,
        notes: server_notes(analysis, &groups),
        source: PlanSource {
            server: analysis.source.server.clone(),
            index: analysis.source.index,
            prefix: analysis.source.prefix.clone(),
            keys: analysis.keys,
            made: analysis.made.clone(),
        },
        targets,
        groups,
    };
    if let Some(places) = places {
        let found = collisions(&plan, &places.source, &places.targets, limits, progress).await?;
        for (group, count) in plan.groups.iter_mut().zip(found) {
            group.collisions = count;
            if count > 0 {
                group.notes.push(format!(
                    "{count} of its names exist in {} already: these keys would not be moved",
                    group.database
                ));
            }
        }
    }
    Ok(plan)
}

/// Whether the purpose of the keys is known, or a rule for them.
fn is_known(report: &KeyGroupReport) -> bool {
    let has_rule = report.verdict == Verdict::Stay && !report.note.is_empty();
    !report.producer.is_empty() && (report.purpose != Purpose::Unknown || has_rule)
}

struct Draft<'a> {
    analysis: &'a Analysis,
    map: &'a DatabaseMap,
    places: Option<&'a PlanPlaces>,
    /// The databases on the source's server.
    near: BTreeSet<String>,
    indexes: &'a Indexes,
}

impl Draft<'_> {
    /// The group with its own database and verdict, before groups are kept together.
    fn group(&self, report: &KeyGroupReport) -> Group {
        let mut group = Group::new(&report.name, report.verdict, report.globs.clone());
        group.producer.clone_from(&report.producer);
        group.perhaps = report.perhaps;
        group.purpose = report.purpose.to_string();
        group.together.clone_from(&report.together);
        group.keys = report.keys;
        group.bytes = report.memory.bytes;
        if !report.note.is_empty() {
            group.notes.push(report.note.clone());
        }
        if let Some(database) = &report.database {
            self.by_template(&mut group, report, database);
        } else if is_known(report) {
            self.by_purpose(&mut group, report);
        } else {
            self.by_words(&mut group, report);
        }
        if let Some(index) = self.index_over(report) {
            let note =
                format!("the search index {index:?} covers these keys, and sees index 0 only");
            stay(&mut group, note);
        }
        group
    }

    fn by_purpose(&self, group: &mut Group, report: &KeyGroupReport) {
        if report.verdict == Verdict::Stay {
            return;
        }
        // Keys that a program accesses through its queue's setting go with the queue.
        let purpose = match frameworks::has_broker(&report.producer, &report.together) {
            true => Purpose::Broker,
            false => report.purpose,
        };
        match database_for(purpose, self.map) {
            Some(contract) => group.database.clone_from(&contract.name),
            None => return stay(group, format!("no configured database is for {purpose}")),
        }
        if !report.perhaps {
            return;
        }
        group.notes.push(format!(
            "perhaps {}, judging by its names alone; find out who writes it before you move it",
            report.producer
        ));
        if report.verdict == Verdict::Move && report.ttl.without > 0 {
            let keys = report.ttl.without;
            stay(group, format!("{keys} of its keys never expire: set the verdict yourself"));
        }
    }

    fn by_template(&self, group: &mut Group, report: &KeyGroupReport, database: &str) {
        database.clone_into(&mut group.database);
        let kind = self.map.database(database).map(|contract| contract.kind);
        let is_queue = report
            .types
            .keys()
            .any(|key_type| matches!(key_type, KeyType::List | KeyType::Stream | KeyType::Zset));
        let durable_queue = is_queue && kind == Some(DatabaseKind::Durable);
        if durable_queue || kind == Some(DatabaseKind::Coordination) {
            group.verdict = Verdict::Drain;
            group.notes.push(
                "clients block on lists and streams and hold locks: stop the programs that use them \
                 first"
                    .to_owned(),
            );
        }
        group.purpose = kind.map_or(String::new(), |kind| kind.to_string());
    }

    /// Judges keys without a known producer by their names. Keys that can be recomputed are
    /// proposed to move; for the others the programs have to be stopped, which only the operator
    /// can confirm.
    fn by_words(&self, group: &mut Group, report: &KeyGroupReport) {
        group.verdict = Verdict::Stay;
        let Some((purpose, contract)) = suggested(&report.patterns, self.map) else {
            group.notes.push(
                "the program that writes these keys is not known: to move them, add their template \
                 and its database to the configuration as [keys.NAME] and plan again, or set database \
                 and verdict here"
                    .to_owned(),
            );
            return;
        };
        group.purpose = purpose.to_string();
        let expire = report.ttl.without == 0;
        let plain = |types: &[KeyType]| report.types.keys().all(|one| types.contains(one));
        let can_be_made_again = match purpose {
            Purpose::Cache => expire && plain(&[KeyType::String, KeyType::Hash]),
            Purpose::RateLimit => expire,
            _ => false,
        };
        group.database.clone_from(&contract.name);
        if can_be_made_again {
            group.verdict = Verdict::Move;
            group
                .notes
                .push("recognized by its names alone: check that it holds nothing else".to_owned());
            return;
        }
        group.verdict = Verdict::Drain;
        group.notes.push(format!(
            "only its names suggest {}: if that is right, stop the programs that write it and use \
             --drained; a template in [keys] settles it for good",
            contract.name
        ));
    }

    fn index_over(&self, report: &KeyGroupReport) -> Option<&str> {
        let indexed = |one: &KeyType| matches!(one, KeyType::Hash | KeyType::Module);
        if !report.types.keys().any(indexed) {
            return None;
        }
        let names: Vec<Vec<u8>> =
            report.examples.iter().map(|name| crate::unescape(name)).collect();
        let heads = report.globs.iter().map(|glob| crate::read_glob(glob));
        let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'\\');
        let cut = |glob: Vec<u8>| glob.split(is_special).next().unwrap_or_default().to_vec();
        heads.map(cut).find_map(|head| self.indexes.covering(&head, &names))
    }

    fn contract(&self, group: &Group) -> Option<&Contract> {
        self.map.database(&group.database)
    }

    /// Adds remarks once database and verdict are decided.
    fn finish(&self, group: &mut Group, report: &KeyGroupReport) {
        let Some(contract) = self.contract(group) else { return };
        if group.verdict != Verdict::Stay && self.is_source(contract) {
            stay(group, "is already in its database".to_owned());
        }
        if group.verdict == Verdict::Stay {
            return;
        }
        if let Some(places) = self.places
            && !places.targets.contains_key(&contract.name)
        {
            let note = format!("{} is on a server that could not be reached", contract.name);
            stay(group, note);
            return;
        }
        group.longest_block_ms = (self.longest_block(contract, report) * 10.0).ceil() / 10.0;
        if contract.kind.requires_ttl() && report.ttl.without > 0 {
            group.notes.push(format!(
                "{} of its keys have no TTL, but a {} database requires one for every key",
                report.ttl.without, contract.kind
            ));
        }
        let sharing = self.map.sharing_with(contract);
        if !sharing.is_empty() {
            group.notes.push(format!(
                "{} shares its index with {}: neither can be flushed alone",
                contract.name,
                sharing.join(", ")
            ));
        }
    }

    fn place(&self, contract: &Contract) -> Option<&Place> {
        self.places.and_then(|places| places.targets.get(&contract.name))
    }

    fn is_source(&self, contract: &Contract) -> bool {
        match (self.places, self.place(contract)) {
            (Some(places), Some(target)) => {
                self.near.contains(&contract.name)
                    && target.index() == places.source.index()
                    && target.prefix() == places.source.prefix()
            }
            // For a dump the server is unknown, so only the index is compared.
            (None, _) => {
                contract.placement.index() == self.analysis.source.index
                    && contract.placement.prefix().is_empty()
            }
            _ => false,
        }
    }

    fn longest_block(&self, contract: &Contract, report: &KeyGroupReport) -> f64 {
        let bytes = report.largest as f64;
        match (self.places, self.place(contract)) {
            (Some(_), Some(_)) if !self.near.contains(&contract.name) => {
                MOVE_MS.max(bytes * DUMP_MS)
            }
            (Some(places), Some(target))
                if target.prefix() != places.source.prefix() || target.server().is_cluster() =>
            {
                MOVE_MS.max(bytes * COPY_MS)
            }
            _ => MOVE_MS,
        }
    }

    /// All databases that a user may choose for a group, not only the proposed ones.
    fn targets(&self) -> Vec<PlanTarget> {
        let reached = |contract: &&Contract| {
            !self.is_source(contract) && (self.places.is_none() || self.place(contract).is_some())
        };
        let contracts = self.map.databases().iter().filter(reached);
        let target = |contract: &Contract| match self.place(contract) {
            Some(place) => PlanTarget {
                database: contract.name.clone(),
                server: place.server().url().to_string(),
                index: place.index(),
                prefix: crate::escape(place.prefix()),
            },
            None => PlanTarget {
                database: contract.name.clone(),
                server: self
                    .map
                    .instances()
                    .get(contract.placement.instance())
                    .map_or(String::new(), |instance| instance.url.to_string()),
                index: contract.placement.index(),
                prefix: crate::escape(contract.placement.prefix().as_bytes()),
            },
        };
        contracts.map(target).collect()
    }
}

fn stay(group: &mut Group, note: String) {
    group.verdict = Verdict::Stay;
    group.notes.push(note);
}

/// Groups of one set move with its queue, or stay with it.
fn keep_together(groups: &mut [Group], draft: &Draft<'_>) {
    let broker = Purpose::Broker.to_string();
    let mut sets: BTreeMap<String, (String, Verdict)> = BTreeMap::new();
    for group in groups.iter().filter(|group| !group.together.is_empty()) {
        let is_broker = group.purpose == broker;
        let lead = (group.database.clone(), group.verdict);
        let stays = group.verdict == Verdict::Stay;
        let known = sets.get(&group.together).map(|(_, verdict)| *verdict);
        if known.is_none() || stays || is_broker && known != Some(Verdict::Stay) {
            sets.insert(group.together.clone(), lead);
        }
    }
    for group in groups.iter_mut().filter(|group| !group.together.is_empty()) {
        let Some((database, verdict)) = sets.get(&group.together) else { continue };
        if *verdict == Verdict::Stay && group.verdict != Verdict::Stay {
            stay(group, format!("stays because other groups of {:?} stay", group.together));
        } else if draft.map.database(database).is_some() {
            group.database.clone_from(database);
        }
    }
}

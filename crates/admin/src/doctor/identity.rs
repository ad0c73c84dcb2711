//! Identity and indexes: whether each database has a place of its own, and the server that it thinks.

use compartment_core::{DatabaseMap, ErrorKind};

use super::code::{Code, Severity};
use super::facts::{DatabaseFacts, Facts, ServerFacts, listed};
use super::finding::Finding;
use super::options::DoctorOptions;
use crate::own_name::own_name;

/// The checks of one server that need no further question.
pub(super) fn check_server(facts: &Facts<'_>, server: &ServerFacts<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = too_few_databases(server).into_iter().collect();
    findings.extend(unnamed_keys(facts, server));
    findings
}

fn too_few_databases(server: &ServerFacts<'_>) -> Option<Finding> {
    let has = server.server.info().databases?;
    let beyond: Vec<&DatabaseFacts<'_>> =
        server.databases.iter().filter(|one| one.place.index() >= has).collect();
    let needed = beyond.iter().map(|one| one.place.index()).max()?.saturating_add(1);
    let names = || beyond.iter().map(|one| one.contract.name.as_str());
    let what = format!("the server has {has} numbered databases, and the map needs {needed}");
    let setting = if server.server.is_cluster() { "cluster-databases" } else { "databases" };
    Some(
        Finding::new(Code::TooFewDatabases, Severity::Critical, what)
            .databases(names())
            .why(format!("{} cannot be opened", listed(names())))
            .cure(format!(
                "{setting} {needed} in the server's configuration, and a restart; or place them by a \
                 prefix in [databases]"
            )),
    )
}

fn unnamed_keys(facts: &Facts<'_>, server: &ServerFacts<'_>) -> Vec<Finding> {
    let is_left_by_a_move = |index: u32| {
        facts.map.databases().iter().filter_map(|one| one.previous.as_ref()).any(|previous| {
            previous.placement.instance() == server.name && previous.placement.index() == index
        })
    };
    let mut findings = Vec::new();
    for one in server.unnamed.iter().filter(|one| !is_left_by_a_move(one.place.index())) {
        let part = one.sample.matching(|_| true);
        let index = one.place.index();
        let programs = one.sample.groups.iter().filter(|group| !group.perhaps);
        let mut programs: Vec<&str> =
            programs.map(|group| group.program.as_str()).filter(|name| !name.is_empty()).collect();
        programs.sort_unstable();
        programs.dedup();
        let whose = match programs.as_slice() {
            [] => String::new(),
            programs => format!("; {} wrote some of them", listed(programs.iter().copied())),
        };
        let what = format!("index {index} has keys that no database of the map has{whose}");
        findings.push(
            Finding::new(Code::UnnamedKeys, Severity::Notice, what)
                .keys(part.names())
                .key_count(part.count())
                .bytes(part.bytes())
                .why(
                    "they have no contract: nobody knows whether they may be evicted or flushed, and they \
                     share the server's memory with the databases of the map",
                )
                .cure(format!(
                    "`compartment analyze --database {index}` shows whose they are; give them a \
                     database in [databases], or remove them by `compartment flush --database {index}`"
                )),
        );
    }
    findings
}

/// Whether the server keeps its numbered databases apart.
pub(super) async fn check_isolation(
    server: &ServerFacts<'_>,
    options: &DoctorOptions,
    unknown: &mut Vec<String>,
) -> Option<Finding> {
    let databases = server.server.info().databases;
    let is_there = |index: &u32| *index != 0 && databases.is_none_or(|count| *index < count);
    let index = server.databases.iter().map(|one| one.place.index()).find(is_there)?;
    // A server that ignores SELECT often says so when it is asked which database a session uses.
    let ignores = match says_its_index(server, index).await {
        Some(said) if said != index => true,
        _ if options.writes_canary => match server.server.prove_isolation(&[index]).await {
            Ok(()) => false,
            Err(error) if error.kind() == ErrorKind::NotIsolated => true,
            Err(error) => {
                unknown.push(format!("whether {} keeps indexes apart: {error}", server.name));
                false
            }
        },
        _ => false,
    };
    if !ignores {
        return None;
    }
    let what = format!("the server accepts SELECT {index} and ignores it");
    let names = || server.databases.iter().map(|one| one.contract.name.as_str());
    Some(
        Finding::new(Code::SelectIgnored, Severity::Critical, what)
            .databases(names())
            .why(format!(
                "{} share one keyspace: a flush of one removes all, and equal names overwrite each \
                 other",
                listed(names())
            ))
            .cure(
                "place each database by a prefix in [databases], or use a server with numbered databases",
            ),
    )
}

async fn says_its_index(server: &ServerFacts<'_>, index: u32) -> Option<u32> {
    let mut connection = server.server.open(index, &own_name("doctor")).await.ok()?;
    let mut about = redis::cmd("CLIENT");
    about.arg("INFO");
    let line: String = connection.ask("look at the session", &about).await.ok()?;
    line.trim().split(' ').find_map(|field| field.strip_prefix("db="))?.parse().ok()
}

/// Instances that were not reached, and instances that are one server.
pub(super) async fn check_instances(
    facts: &Facts<'_>,
    options: &DoctorOptions,
    unknown: &mut Vec<String>,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = unreachable(facts);
    for (at, here) in facts.servers.iter().enumerate() {
        for there in &facts.servers[at + 1..] {
            if is_one(here, there, options, unknown).await {
                findings.extend(shared(here, there));
            }
        }
    }
    findings
}

fn unreachable(facts: &Facts<'_>) -> Vec<Finding> {
    let unreached = facts.unreached.iter();
    let finding = |(name, address, error): &(&str, &str, &compartment_core::Error)| {
        let on_it = facts.map.databases().iter().filter(|one| one.placement.instance() == *name);
        let names: Vec<&str> = on_it.map(|one| one.name.as_str()).collect();
        let what = format!("{address} is not reached: {}", error.message());
        Finding::new(Code::InstanceUnreachable, Severity::Critical, what)
            .instance(name)
            .databases(names.iter().copied())
            .why(format!("{} cannot be used, and nothing else was examined there", listed(names)))
            .cure(format!("start the server, or mend [instances.{name}] in compartment.toml"))
    };
    unreached.map(finding).collect()
}

/// Whether both instances are one server.
async fn is_one(
    here: &ServerFacts<'_>,
    there: &ServerFacts<'_>,
    options: &DoctorOptions,
    unknown: &mut Vec<String>,
) -> bool {
    let (a, b) = (&here.server.info().identity, &there.server.info().identity);
    if !a.is_empty() && !b.is_empty() {
        return a.iter().any(|name| b.contains(name));
    }
    let what = format!("whether {} and {} are one server", here.name, there.name);
    let Some(place) = here.databases.first().map(|one| one.place) else { return false };
    if !options.writes_canary {
        unknown.push(format!("{what}: they hide their run id (--canary writes a key to tell)"));
        return false;
    }
    place.is_on(there.server).await.unwrap_or_else(|error| {
        unknown.push(format!("{what}: {error}"));
        false
    })
}

fn shared(here: &ServerFacts<'_>, there: &ServerFacts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in &here.databases {
        for other in &there.databases {
            if DatabaseMap::would_overlap(one.contract, other.contract) {
                findings.push(place_shared(here, one, there, other));
            }
        }
    }
    if findings.is_empty() {
        let what = format!("{} and {} are one server", here.name, there.name);
        let names = here.databases.iter().chain(&there.databases);
        findings.push(
            Finding::new(Code::ServerShared, Severity::Notice, what)
                .instance(here.name)
                .databases(names.map(|one| one.contract.name.as_str()))
                .why(
                    "memory, eviction and connections are shared, while limits are set for each instance \
                     apart",
                )
                .cure("name the server once in [instances]"),
        );
    }
    findings
}

fn place_shared(
    here: &ServerFacts<'_>,
    one: &DatabaseFacts<'_>,
    there: &ServerFacts<'_>,
    other: &DatabaseFacts<'_>,
) -> Finding {
    let (first, second) = (&one.contract.name, &other.contract.name);
    let index = one.place.index();
    let what = format!(
        "{first} and {second} are in one place: {} and {} are one server, and both are at its index \
         {index}",
        here.name, there.name
    );
    Finding::new(Code::PlaceShared, Severity::Critical, what)
        .instance(here.name)
        .databases([first.as_str(), second.as_str()])
        .key_count(one.sample.total)
        .bytes(one.sample.bytes())
        .why("a flush of one removes the other, and equal names overwrite each other")
        .cure(
            "give each an index of its own in [databases]; where both are meant to share it, set \
             shared = true for both",
        )
}

//! The keys of one database by pattern and program.

use compartment_admin::{
    Analysis, AnalyzeOptions, ClientUse, KeyGroupReport, Limits, Measure, Place, Silent, analyze,
    places,
};
use compartment_operations::counted;

use super::Said;
use super::arguments::AnalyzeKeys;
use super::results::{BigKeyLine, ClientLine, GroupLine, KeyAnalysis};
use crate::answer::{Answer, Problem, first};
use crate::serving::Serving;

const MAX_GROUPS: u32 = 100;
const MAX_BIGGEST: usize = 10;
const MAX_CLIENTS: usize = 20;
const MAX_GLOBS: usize = 5;
/// The share of the server's time that an agent's look takes.
const SHARE: f64 = 0.1;

/// The place of a database of the map, or of an index on the primary instance. An agent names no address.
pub(crate) async fn place(server: &Serving, name: &str) -> Answer<Place> {
    if name.contains("://") {
        let what = "name a database of list_databases, or an index of the primary server such as 0";
        return Err(Problem(what.to_owned()));
    }
    Ok(places::resolve(server.operations().map(), name).await?)
}

/// Analyses a database within the load that an agent may cause.
pub(crate) async fn analysed(server: &Serving, place: &Place) -> Answer<Analysis> {
    let mut options = AnalyzeOptions::default();
    options.limits = limits();
    options.top = MAX_BIGGEST;
    options.rules = server.operations().map().keys().clone();
    Ok(analyze(place, &options, &Silent).await?)
}

pub(crate) fn limits() -> Limits {
    Limits::default().share(Some(SHARE))
}

pub(crate) async fn analysis(server: &Serving, arguments: AnalyzeKeys) -> Answer<Said> {
    let place = place(server, &arguments.database).await?;
    let found = analysed(server, &place).await?;
    let max = arguments.limit.clamp(1, MAX_GROUPS) as usize;
    let (groups, more_groups) = first(found.groups.iter().map(group_line).collect(), max);
    let (clients, more_clients) =
        first(found.clients.iter().map(client_line).collect(), MAX_CLIENTS);
    let biggest = found.biggest.iter().take(MAX_BIGGEST);
    let fields = KeyAnalysis {
        database: place.label().to_owned(),
        keys: found.keys,
        bytes: found.memory.bytes,
        measured: match found.measure {
            Measure::Exact => "exact",
            Measure::Sampled | Measure::FromDump => "sampled",
            _ => "unknown",
        }
        .to_owned(),
        seconds: found.seconds,
        groups,
        more_groups,
        biggest_keys: biggest
            .map(|key| BigKeyLine { name: key.name.clone(), bytes: key.bytes })
            .collect(),
        clients,
        more_clients,
        missing: first(found.missing.clone(), MAX_CLIENTS).0,
    };
    let sentence = format!(
        "{} of {} in {}, {}.",
        counted(fields.keys, "key"),
        fields.database,
        counted(fields.groups.len() as u64 + more_groups, "group"),
        compartment_admin::size(fields.bytes)
    );
    Said::new(sentence, &fields)
}

fn group_line(group: &KeyGroupReport) -> GroupLine {
    GroupLine {
        name: group.name.clone(),
        producer: group.producer.clone(),
        perhaps: group.perhaps,
        purpose: group.purpose.to_string(),
        database: group.database.clone(),
        keys: group.keys,
        bytes: group.memory.bytes,
        keys_with_ttl: group.ttl.with,
        types: group.types.iter().map(|(kind, keys)| (kind.to_string(), *keys)).collect(),
        globs: first(group.globs.clone(), MAX_GLOBS).0,
        note: group.note.clone(),
    }
}

fn client_line(client: &ClientUse) -> ClientLine {
    ClientLine {
        who: client.who(),
        connections: client.connections,
        blocked: client.blocked,
        last_commands: first(client.commands.iter().cloned().collect(), MAX_GLOBS).0,
    }
}

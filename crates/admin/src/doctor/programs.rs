//! Programs against the server that they share: eviction, FLUSHDB, keyspace notifications.

use compartment_core::DatabaseKind;

use super::code::{Code, Severity};
use super::facts::{ServerFacts, listed};
use super::finding::Finding;
use super::sample::{Sample, SampledGroup};
use crate::{Place, Purpose};

/// Programs that lose work under volatile-* too: their locks and heartbeats have a TTL.
const NEED_NOEVICTION: [&str; 3] = ["BullMQ", "Bull", "Sidekiq"];
/// Programs whose `clear` is `FLUSHDB`.
const CLEAR_BY_FLUSHDB: [&str; 3] = ["Django cache", "Laravel cache", "Rails cache"];
/// Sessions that Django keeps in its cache, by the installation's own choice.
const IN_THE_CACHE: &str = "Django sessions";

pub(super) fn check(server: &ServerFacts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, sample) in server.samples() {
        for group in sample.groups.iter().filter(|group| !group.program.is_empty()) {
            findings.extend(evictable(server, place, sample, group));
            findings.extend(clear_flushes_others(server, place, sample, group));
            findings.extend(notifications_missing(server, place, sample, group));
        }
    }
    findings
}

/// A finding about a program's keys.
fn about(
    code: Code,
    severity: Severity,
    what: String,
    place: &Place,
    (sample, group): (&Sample, &SampledGroup),
) -> Finding {
    let part = sample.part(group);
    Finding::new(code, severity, what)
        .databases([place.label()])
        .keys(part.names())
        .key_count(part.count())
        .bytes(part.bytes())
}

fn evictable(
    server: &ServerFacts<'_>,
    place: &Place,
    sample: &Sample,
    group: &SampledGroup,
) -> Option<Finding> {
    let policy = server.evicting_policy().filter(|_| !group.perhaps)?;
    let takes_all = policy.starts_with("allkeys-");
    let severity = if takes_all { Severity::Critical } else { Severity::Warning };
    let program = group.program.as_str();
    let is_coordination = server.databases.iter().any(|one| {
        one.contract.name == place.label() && one.contract.kind == DatabaseKind::Coordination
    });
    let (code, subject, why) = match group.purpose {
        Purpose::Broker if takes_all || NEED_NOEVICTION.contains(&program) => (
            Code::QueueEvictable,
            "a queue",
            "jobs vanish without an error, or run twice because their lock is gone",
        ),
        // Of a coordination database this has been said already.
        Purpose::Locks if !is_coordination => (
            Code::LockEvictable,
            "locks",
            "a lock that is evicted is free while its holder works: two do the work of one",
        ),
        _ => return None,
    };
    let what =
        format!("{program} keeps {subject} in {}, under maxmemory-policy {policy}", place.label());
    Some(about(code, severity, what, place, (sample, group)).why(why).cure(format!(
        "a server with maxmemory-policy noeviction for {program}; on this one: {}",
        super::cure::of_policy(server.name, &server.contracts())
    )))
}

fn clear_flushes_others(
    server: &ServerFacts<'_>,
    place: &Place,
    sample: &Sample,
    group: &SampledGroup,
) -> Option<Finding> {
    if !CLEAR_BY_FLUSHDB.contains(&group.program.as_str()) {
        return None;
    }
    // A guess by names counts where they are Django's own: no prefix, a version, a name.
    let is_plain = |name: &[u8]| name.starts_with(b":");
    if group.perhaps && !sample.part(group).names().all(is_plain) {
        return None;
    }
    let here = || server.at_index(place.index());
    let neighbours = here().filter(|one| one.contract.name != place.label());
    let mut others: Vec<&str> = neighbours.map(|one| one.contract.name.as_str()).collect();
    let is_other = |one: &&SampledGroup| {
        let is_program = !one.perhaps && !one.program.is_empty() && one.program != group.program;
        is_program && one.purpose != Purpose::Cache && one.program != IN_THE_CACHE
    };
    let programs = sample.groups.iter().filter(is_other).map(|one| one.program.as_str());
    others.extend(programs);
    let is_for_caches = |one: &compartment_core::Contract| one.kind == DatabaseKind::Cache;
    if here().any(|one| one.contract.name == place.label() && !is_for_caches(one.contract)) {
        others.push(place.label());
    }
    others.sort_unstable();
    others.dedup();
    if others.is_empty() {
        return None;
    }
    let severity = if group.perhaps { Severity::Warning } else { Severity::Critical };
    let (program, index) = (&group.program, place.index());
    let what = format!("{program} clears by FLUSHDB, and shares index {index}");
    Some(
        about(Code::ClearFlushesOthers, severity, what, place, (sample, group))
            .databases(here().map(|one| one.contract.name.as_str()))
            .why(format!("one clear of the cache removes the keys of {} as well", listed(others)))
            .cure(format!(
                "give {program} an index of its own: `compartment plan --from {index}`, then `compartment \
                 migrate --plan plan.toml`"
            )),
    )
}

fn notifications_missing(
    server: &ServerFacts<'_>,
    place: &Place,
    sample: &Sample,
    group: &SampledGroup,
) -> Option<Finding> {
    let flags = server.nodes.iter().find_map(|node| node.setting("notify-keyspace-events"))?;
    let has = |flag: char| flags.contains(flag);
    let are_sent = has('E') && (has('A') || (has('g') && has('x')));
    if group.program != "Spring Session" || are_sent {
        return None;
    }
    // Only sessions with an index by user listen for their end.
    let listens = |name: &[u8]| {
        [b":sessions:expires:".as_slice(), b":expirations:"]
            .iter()
            .any(|part| name.windows(part.len()).any(|window| window == *part))
    };
    let part = sample.part(group);
    if !part.names().any(listens) {
        return None;
    }
    let what = format!("Spring Session in {} needs keyspace notifications", place.label());
    let wanted: String = flags.chars().chain("Egx".chars().filter(|flag| !has(*flag))).collect();
    Some(
        about(Code::NotificationsMissing, Severity::Warning, what, place, (sample, group))
            .why(format!(
                "notify-keyspace-events is {flags:?}: sessions that end are not announced, so that their \
                 indexes grow and sockets of users who are logged out stay open"
            ))
            .cure(format!("CONFIG SET notify-keyspace-events {wanted}, then CONFIG REWRITE")),
    )
}

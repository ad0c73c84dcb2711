//! The contracts of databases against their keys: TTLs, templates, sizes. By a sample.

use std::time::Duration;

use compartment_core::{Contract, DatabaseKind};

use super::code::{Code, Severity};
use super::facts::{DatabaseFacts, Facts, ServerFacts};
use super::finding::Finding;
use super::options::DoctorOptions;
use super::sample::{Part, Sample};
use crate::{Place, Purpose, size};

/// The TTL of keys of a cache whose map gives none.
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn check(
    facts: &Facts<'_>,
    server: &ServerFacts<'_>,
    options: &DoctorOptions,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for database in &server.databases {
        findings.extend(key_without_ttl(facts, database));
        findings.extend(durable_key_evictable(server, database));
    }
    for (place, sample) in server.samples() {
        findings.extend(keys_in_wrong_database(facts, server, place, sample));
        findings.extend(big_keys(place, sample, options));
    }
    findings
}

/// A finding about some keys of a place.
fn about(code: Code, severity: Severity, what: String, place: &Place, part: &Part<'_>) -> Finding {
    Finding::new(code, severity, what)
        .databases([place.label()])
        .keys(part.names())
        .key_count(part.count())
        .bytes(part.bytes())
}

fn key_without_ttl(facts: &Facts<'_>, database: &DatabaseFacts<'_>) -> Option<Finding> {
    let contract = database.contract;
    let part = database.sample.matching(|key| key.facts.ttl_seconds.is_none());
    if !contract.kind.requires_ttl() || part.is_empty() {
        return None;
    }
    let what = format!("keys without a TTL in {}: {}", contract.name, part.in_words());
    let why = match contract.kind {
        DatabaseKind::Cache => {
            "they stay for ever: under volatile-* no eviction takes them, and they displace the \
             entries that expire"
        }
        _ => "a lock or limit without a TTL outlives the process that set it, and nobody frees it",
    };
    Some(
        about(Code::KeyWithoutTtl, Severity::Warning, what, database.place, &part)
            .why(format!("{} is a {} database: {why}", contract.name, contract.kind))
            .cure(format!("give every write a TTL; {}", expire(facts, contract))),
    )
}

/// How the keys that are there get a TTL.
fn expire(facts: &Facts<'_>, contract: &Contract) -> String {
    if contract.kind != DatabaseKind::Cache {
        return "EXPIRE <KEY> <SECONDS> for each lock or limit whose holder is gone".to_owned();
    }
    let rules = facts.map.keys().iter().filter(|(_, rule)| rule.database == contract.name);
    let of_templates = rules.filter_map(|(name, _)| facts.map.ttl_of(name));
    let longest = of_templates.chain(contract.default_ttl).max().unwrap_or(DAY);
    format!(
        "for the keys that are there: `compartment expire --database {} --at-most {}s` counts them, and with \
         --apply gives them that TTL",
        contract.name,
        longest.as_secs().max(1)
    )
}

fn durable_key_evictable(
    server: &ServerFacts<'_>,
    database: &DatabaseFacts<'_>,
) -> Option<Finding> {
    let policy = server.evicting_policy().filter(|policy| policy.starts_with("volatile-"))?;
    let contract = database.contract;
    let part = database.sample.matching_by_group(|key, group| {
        // Of a queue's own keys with a TTL, `queue-evictable` says where they matter.
        key.facts.ttl_seconds.is_some() && group.is_none_or(|one| one.purpose != Purpose::Broker)
    });
    if contract.kind != DatabaseKind::Durable || part.is_empty() {
        return None;
    }
    let what = format!(
        "keys with a TTL in {}, which maxmemory-policy {policy} evicts: {}",
        contract.name,
        part.in_words()
    );
    Some(
        about(Code::DurableKeyEvictable, Severity::Warning, what, database.place, &part)
            .why(format!(
                "{} is durable: its keys may expire, and must not be evicted before",
                contract.name
            ))
            .cure(super::cure::of_policy(server.name, &server.contracts())),
    )
}

fn keys_in_wrong_database(
    facts: &Facts<'_>,
    server: &ServerFacts<'_>,
    place: &Place,
    sample: &Sample,
) -> Vec<Finding> {
    // The database a key belongs in; none where the key may be here as well.
    let elsewhere = |name: &str| {
        let right = facts.map.database(name)?;
        let here = facts.map.database(place.label());
        let shares = here.is_some_and(|here| facts.map.sharing_with(here).contains(&name));
        // Keys of a database that moves are brought from its previous place.
        let moves = right.previous.as_ref().is_some_and(|previous| {
            previous.placement.instance() == server.name
                && previous.placement.index() == place.index()
        });
        (name != place.label() && !shares && !moves).then_some(right)
    };
    let mut findings = Vec::new();
    for group in &sample.groups {
        let Some(right) = group.database.as_deref().and_then(elsewhere) else { continue };
        let part = sample.part(group);
        let what = format!(
            "keys in {} whose names [keys] gives to {}: {}",
            place.label(),
            right.name,
            part.in_words()
        );
        findings.push(
            about(Code::KeyInWrongDatabase, Severity::Warning, what, place, &part)
                .databases([place.label(), right.name.as_str()])
                .why(format!(
                    "readers look for them in {} ({}), and the contract of {} does not hold for them",
                    right.name,
                    right.placement,
                    right.name
                ))
                .cure(format!(
                    "find the program that writes them (`compartment analyze --database {index}` shows \
                     the clients), point it at {name}, then `compartment migrate --from {from} --to \
                     {name} --pattern '<PATTERN>'`",
                    index = place.index(),
                    from = if facts.map.database(place.label()).is_some() {
                        place.label().to_owned()
                    } else {
                        place.index().to_string()
                    },
                    name = right.name
                )),
        );
    }
    findings
}

fn big_keys(place: &Place, sample: &Sample, options: &DoctorOptions) -> Option<Finding> {
    let limit = options.big_key_bytes;
    let mut part = sample.matching(|key| key.facts.bytes.is_some_and(|bytes| bytes >= limit));
    part.keys.sort_by_key(|key| std::cmp::Reverse(key.facts.bytes));
    let largest = part.keys.first().and_then(|key| key.facts.bytes)?;
    let what = format!(
        "keys of {} or more in {}: {}, the largest {}",
        size(limit),
        place.label(),
        part.in_words(),
        size(largest)
    );
    Some(
        about(Code::BigKey, Severity::Notice, what, place, &part)
            .why(
                "the server answers nobody else while it deletes, copies, dumps or reads all of such a \
                 key, and every database of the server waits",
            )
            .cure(
                "split the value over several keys; remove it by UNLINK and never by DEL; read it in \
                 parts (HSCAN, LRANGE, GETRANGE)",
            ),
    )
}

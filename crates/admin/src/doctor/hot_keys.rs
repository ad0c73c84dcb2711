//! Keys that are used far more often than others. Only a policy of LFU lets a server tell.

use super::code::{Code, Severity};
use super::facts::ServerFacts;
use super::finding::Finding;

/// The access counter of LFU is logarithmic up to 255: with the usual `lfu-log-factor` of 10 it passes
/// this after some hundred thousand uses.
const HOT: u64 = 200;

pub(super) fn check(server: &ServerFacts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, sample) in server.samples() {
        let mut part = sample.matching(|key| key.facts.uses.is_some_and(|uses| uses >= HOT));
        if part.is_empty() {
            continue;
        }
        part.keys.sort_by_key(|key| std::cmp::Reverse(key.facts.uses));
        let what = format!(
            "keys with a use counter (OBJECT FREQ) of {HOT} or more in {}: {}",
            place.label(),
            part.in_words()
        );
        findings.push(
            Finding::new(Code::HotKey, Severity::Notice, what)
                .databases([place.label()])
                .keys(part.names())
                .key_count(part.count())
                .bytes(part.bytes())
                .why(
                    "one key is served by one thread of one node: it bounds the throughput, and no \
                     cluster divides it",
                )
                .cure(
                    "keep it in the process that reads it (the first tier of a cache), or spread it over \
                     several keys",
                ),
        );
    }
    findings
}

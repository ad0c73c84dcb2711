//! Queues of Bull and BullMQ with any prefix, distinguished queue by queue, as both use `bull:`.

use std::collections::BTreeMap;

use super::found::{Found, Signature};
use super::queues_node::{BULL, BULLMQ};
use crate::KeyType;
use crate::name::escape_glob_into;

/// The default prefix of both.
const PREFIX: &[u8] = b"bull:";
/// Suffixes of a queue's keys, their types, and whether only BullMQ has them.
const PARTS: &[(&str, KeyType, bool)] = &[
    (":meta", KeyType::Hash, true),
    (":events", KeyType::Stream, true),
    (":prioritized", KeyType::Zset, true),
    (":marker", KeyType::Zset, true),
    (":pc", KeyType::String, true),
    (":id", KeyType::String, false),
    (":wait", KeyType::List, false),
    (":active", KeyType::List, false),
    (":paused", KeyType::List, false),
    (":completed", KeyType::Zset, false),
    (":failed", KeyType::Zset, false),
    (":delayed", KeyType::Zset, false),
    (":stalled-check", KeyType::String, false),
];
/// Parts that identify a queue with another prefix.
const NEEDS: u32 = 3;
const MAX_QUEUES: usize = 4_096;

/// Key names without these suffixes, with a bit for each suffix seen.
#[derive(Debug, Default)]
pub(super) struct Queues(BTreeMap<Vec<u8>, u32>);

impl Queues {
    /// Adds a name; `true` if it certainly belongs to Bull or BullMQ.
    pub(super) fn add(&mut self, name: &[u8]) -> bool {
        let mut certain = false;
        for (bit, (suffix, ..)) in PARTS.iter().enumerate() {
            let Some(stem) = name.strip_suffix(suffix.as_bytes()) else { continue };
            let known = self.0.contains_key(stem);
            if known || self.0.len() < MAX_QUEUES {
                *self.0.entry(stem.to_vec()).or_default() |= 1 << bit;
                certain |= is_default(stem);
            }
        }
        certain
    }

    /// The keys whose types are needed.
    pub(super) fn questions(&self) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        for (stem, bits) in &self.0 {
            if !is_default(stem) && bits.count_ones() < NEEDS {
                continue;
            }
            for (bit, (suffix, ..)) in PARTS.iter().enumerate() {
                if bits & (1 << bit) != 0 {
                    names.push([stem.as_slice(), suffix.as_bytes()].concat());
                }
            }
        }
        names
    }

    /// Their groups. For each prefix, Bull's queues are listed by name if BullMQ has queues there
    /// too; otherwise all are taken.
    pub(super) fn decide(&self, known: &BTreeMap<Vec<u8>, Signature>) -> Vec<Found> {
        let mut prefixes: BTreeMap<&[u8], (Vec<&[u8]>, bool)> = BTreeMap::new();
        for stem in self.0.keys() {
            let Some(is_bullmq) = judge(stem, known) else { continue };
            let colon = stem.iter().rposition(|byte| *byte == b':').unwrap_or(0);
            let prefix = if is_default(stem) { PREFIX } else { &stem[..=colon] };
            let (bull, has_bullmq) = prefixes.entry(prefix).or_default();
            match is_bullmq {
                true => *has_bullmq = true,
                false => bull.push(stem),
            }
        }
        let mut found = Vec::new();
        for (prefix, (bull, has_bullmq)) in prefixes {
            let all = vec![glob(prefix, b"*")];
            if !bull.is_empty() && has_bullmq {
                found.push((BULL, prefix, bull.iter().map(|stem| glob(stem, b":*")).collect()));
            } else if !bull.is_empty() {
                found.push((BULL, prefix, all.clone()));
            }
            if has_bullmq {
                found.push((BULLMQ, prefix, all));
            }
        }
        found.into_iter().flat_map(|(name, prefix, globs)| of(name, prefix, &globs)).collect()
    }
}

fn is_default(stem: &[u8]) -> bool {
    stem.starts_with(PREFIX)
}

/// `true` for a queue of BullMQ, `false` for Bull; `None` if its keys have other types.
fn judge(stem: &[u8], known: &BTreeMap<Vec<u8>, Signature>) -> Option<bool> {
    let fits = PARTS.iter().filter(|(suffix, key_type, _)| {
        let name = [stem, suffix.as_bytes()].concat();
        known.get(&name).is_some_and(|sign| sign.key_type == *key_type)
    });
    let (mut parts, mut is_bullmq) = (0, false);
    for (.., of_bullmq) in fits {
        parts += 1;
        is_bullmq |= *of_bullmq;
    }
    let needs = if is_default(stem) { 1 } else { NEEDS };
    (parts >= needs).then_some(is_bullmq)
}

fn glob(text: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut glob = Vec::new();
    escape_glob_into(text, &mut glob);
    glob.extend_from_slice(rest);
    glob
}

fn of(name: &str, prefix: &[u8], globs: &[Vec<u8>]) -> Vec<Found> {
    let prefix = if prefix == PREFIX { Vec::new() } else { prefix.to_vec() };
    let groups = super::by_name(name)
        .into_iter()
        .flat_map(|framework| framework.groups.iter().map(move |group| (framework, group)));
    let found = |(framework, group)| Found {
        framework,
        group,
        prefix: prefix.clone(),
        globs: globs.to_vec(),
        perhaps: false,
    };
    groups.map(found).collect()
}

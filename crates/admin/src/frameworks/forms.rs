//! Recognises programs by the form of their names: Django with a prefix, LlamaIndex in a namespace.

use std::collections::{BTreeMap, BTreeSet};

use super::caches::DJANGO;
use super::found::{Found, Signature};
use super::llm::{LLAMA_DOCUMENTS, LLAMA_INDEX};
use crate::KeyType;
use crate::name::escape_glob_into;

/// Minimum number of names with a prefix to recognise their form.
const LEAST_NAMES: u64 = 10;
/// Maximum number of versions of a cache at a time: its previous and its current one.
const MAX_VERSIONS: usize = 2;
const MAX_PREFIXES: usize = 256;
const MAX_NAMESPACES: usize = 64;
const LONGEST: usize = 64;
const SAMPLES: usize = 3;

/// Suffixes of the three hashes of LlamaIndex's document store in a namespace.
const DOCUMENTS: &[&str] = &["/data", "/ref_doc_info", "/metadata"];
/// The suffix that no other program uses.
const TELLING: &str = "/ref_doc_info";

/// Collects the forms of names.
#[derive(Debug, Default)]
pub(super) struct Forms {
    /// Keyed by the text before the first colon.
    prefixes: BTreeMap<Vec<u8>, Prefix>,
    namespaces: BTreeSet<Vec<u8>>,
}

/// Names with one prefix.
#[derive(Debug, Default)]
struct Prefix {
    names: u64,
    /// The version numbers after it.
    versions: BTreeSet<Vec<u8>>,
    /// Whether anything but a number and a name follows it.
    has_others: bool,
    samples: Vec<Vec<u8>>,
}

impl Prefix {
    fn is_versioned(&self) -> bool {
        self.names >= LEAST_NAMES && !self.has_others && self.versions.len() <= MAX_VERSIONS
    }
}

impl Forms {
    pub(super) fn add(&mut self, name: &[u8]) {
        self.add_versioned(name);
        let Some(namespace) = name.strip_suffix(TELLING.as_bytes()) else { return };
        let is_usual = namespace.is_empty() || namespace == b"docstore";
        if !is_usual && namespace.len() <= LONGEST && self.namespaces.len() < MAX_NAMESPACES {
            self.namespaces.insert(namespace.to_vec());
        }
    }

    fn add_versioned(&mut self, name: &[u8]) {
        let mut parts = name.splitn(3, |byte| *byte == b':');
        let (prefix, version, rest) = (parts.next(), parts.next(), parts.next());
        let (Some(prefix), Some(version)) = (prefix, version) else { return };
        let is_known = self.prefixes.contains_key(prefix);
        let is_prefix = !prefix.is_empty() && prefix.len() <= LONGEST;
        if !is_prefix || !is_known && self.prefixes.len() >= MAX_PREFIXES {
            return;
        }
        let one = self.prefixes.entry(prefix.to_vec()).or_default();
        let is_version = (1..=3).contains(&version.len()) && version.iter().all(u8::is_ascii_digit);
        if !is_version || rest.is_none_or(<[u8]>::is_empty) {
            one.has_others = true;
            return;
        }
        one.names += 1;
        if one.versions.len() <= MAX_VERSIONS {
            one.versions.insert(version.to_vec());
        }
        if one.samples.len() < SAMPLES {
            one.samples.push(name.to_vec());
        }
    }

    /// The keys whose types are needed.
    pub(super) fn questions(&self) -> Vec<Vec<u8>> {
        let versioned = self.prefixes.values().filter(|one| one.is_versioned());
        let samples = versioned.flat_map(|one| one.samples.iter().cloned());
        samples.chain(self.namespaces.iter().map(|one| behind(one, TELLING))).collect()
    }

    pub(super) fn decide(&self, known: &BTreeMap<Vec<u8>, Signature>) -> Vec<Found> {
        let is_of = |name: &Vec<u8>, key_type: KeyType| {
            known.get(name).is_some_and(|sign| sign.key_type == key_type)
        };
        let mut found = Vec::new();
        for (prefix, one) in self.prefixes.iter().filter(|(_, one)| one.is_versioned()) {
            if one.samples.iter().all(|name| is_of(name, KeyType::String)) {
                let globs = vec![[escaped(prefix).as_slice(), b":[0-9]*:*"].concat()];
                found.extend(of(DJANGO, "django-cache", prefix, &globs, true));
            }
        }
        for namespace in &self.namespaces {
            if is_of(&behind(namespace, TELLING), KeyType::Hash) {
                let globs: Vec<Vec<u8>> =
                    DOCUMENTS.iter().map(|part| behind(&escaped(namespace), part)).collect();
                found.extend(of(LLAMA_INDEX, LLAMA_DOCUMENTS, namespace, &globs, false));
            }
        }
        found
    }
}

fn behind(text: &[u8], part: &str) -> Vec<u8> {
    [text, part.as_bytes()].concat()
}

fn escaped(text: &[u8]) -> Vec<u8> {
    let mut glob = Vec::new();
    escape_glob_into(text, &mut glob);
    glob
}

fn of(
    framework: &str,
    group: &str,
    prefix: &[u8],
    globs: &[Vec<u8>],
    perhaps: bool,
) -> Option<Found> {
    let framework = super::by_name(framework)?;
    let group = framework.groups.iter().find(|one| one.name == group)?;
    Some(Found { framework, group, prefix: prefix.to_vec(), globs: globs.to_vec(), perhaps })
}
